import Foundation
import Logging
import NIOCore

/// A payload that is told again and again, with ages in it that move by themselves.
protocol EventPayload: Encodable, Equatable, Sendable {
    /// The same without what time alone changes: what it is compared by.
    var timeless: Self { get }
}

extension EventPayload {
    var timeless: Self { self }
}

/// One kind of event.
struct EventSource: Sendable {
    let name: String
    /// Told again after this though nothing has changed, so that ages do not drift; nil for never.
    let repeatAfter: Duration?
    /// nil where there is nothing to tell now.
    let snapshot: @Sendable () async throws -> (any EventPayload)?

    init(
        _ name: String,
        repeatAfter: Duration? = nil,
        snapshot: @escaping @Sendable () async throws -> (any EventPayload)?
    ) {
        self.name = name
        self.repeatAfter = repeatAfter
        self.snapshot = snapshot
    }
}

/// Makes the snapshots for everyone who listens, once for all of them, and none while nobody does.
actor EventFeed {
    /// Between two looks: what is told is at most this old.
    static let interval = Duration.milliseconds(500)
    /// Between two comments that keep the connections of proxies open.
    static let keepAlive = Duration.seconds(15)

    private let sources: [EventSource]
    private let hub: EventHub
    private let logger: Logger
    /// What was told last of each kind, and when.
    private var told: [String: (payload: any EventPayload, at: Duration)] = [:]
    private var keptAliveAt = Duration.zero

    init(_ sources: [EventSource], hub: EventHub, logger: Logger) {
        self.sources = sources
        self.hub = hub
        self.logger = logger
    }

    /// Returns when the hub has ended, or is cancelled.
    func run(clock: some Clock<Duration>) async {
        let start = clock.now
        while await hub.isWanted() {
            await tick(at: start.duration(to: clock.now))
            do {
                // Also where the last one has left meanwhile: however often somebody joins, snapshots are made at this pace.
                try await clock.sleep(for: Self.interval)
            } catch {
                return
            }
        }
    }

    /// Tells what has changed.
    /// - Parameter now: Since any moment, always the same.
    func tick(at now: Duration) async {
        for source in sources {
            do {
                guard let payload = try await source.snapshot() else { continue }
                let isNews = isNews(payload, of: source, now)
                if isNews { told[source.name] = (payload, now) }
                hub.publish(Event(source.name, json: try JSON.encoder.encode(payload)), isNews: isNews)
            } catch {
                // The next look may do better; whoever listens sees that nothing comes.
                logger.debug("An event could not be made", metadata: ["event": "\(source.name)", "error": "\(error)"])
            }
        }
        if now - keptAliveAt >= Self.keepAlive {
            keptAliveAt = now
            hub.publish(.keepAlive)
        }
    }

    private func isNews(_ payload: some EventPayload, of source: EventSource, _ now: Duration) -> Bool {
        guard let last = told[source.name] else { return true }
        if let repeatAfter = source.repeatAfter, now - last.at >= repeatAfter { return true }
        return !isSame(payload, last.payload)
    }

    private func isSame<Payload: EventPayload>(_ payload: Payload, _ other: any EventPayload) -> Bool {
        payload.timeless == (other as? Payload)?.timeless
    }
}
