import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore

/// Who listens to `GET /admin/api/events`, and what each has still to be told.
///
/// At most ``limit`` listen. Of each event a subscriber is owed the newest only, so one that reads slowly skips snapshots and holds as
/// much memory as there are kinds of events.
final class EventHub: Sendable {
    /// Subscribers at once.
    static let limit = 64

    private struct State {
        var subscribers: [Int: EventSubscriber] = [:]
        var nextKey = 0
        /// The newest of each event, for those who join.
        var newest: [Event] = []
        var isEnded = false
        /// Waits for somebody to listen.
        var idler: CheckedContinuation<Bool, Never>?
    }

    private let state = NIOLockedValueBox(State())

    /// Joins, for as long as what this returns is held; it is told the newest of everything at once, as far as there is any.
    /// - Throws: ``AdminProblem`` where too many listen, or the gateway is shutting down.
    func subscribe() throws -> EventSubscription {
        let (result, idler) = state.withLockedValue {
            state -> (Result<EventSubscription, AdminProblem>, CheckedContinuation<Bool, Never>?) in
            guard !state.isEnded else {
                return (.failure(AdminProblem(.serviceUnavailable, "draining", "the gateway is shutting down")), nil)
            }
            guard state.subscribers.count < Self.limit else {
                let detail = "\(Self.limit) listen to events already, which is as many as may; close one, or ask again"
                return (.failure(AdminProblem(.serviceUnavailable, "too_many_subscribers", detail)), nil)
            }
            let key = state.nextKey
            state.nextKey += 1
            let subscriber = EventSubscriber()
            state.subscribers[key] = subscriber
            for event in state.newest { subscriber.offer(event) }
            defer { state.idler = nil }
            return (.success(EventSubscription(subscriber) { [weak self] in self?.leave(key) }), state.idler)
        }
        idler?.resume(returning: true)
        return try result.get()
    }

    /// Tells everyone.
    /// - Parameter isNews: Otherwise only those are told who were never told this kind of event; the rest may know already.
    func publish(_ event: Event, isNews: Bool = true) {
        let subscribers = state.withLockedValue { state in
            if let index = state.newest.firstIndex(where: { $0.name == event.name }) {
                state.newest[index] = event
            } else if event.name != nil {
                state.newest.append(event)
            }
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers where isNews || !subscriber.knows(event.name) { subscriber.offer(event) }
    }

    /// Returns once somebody listens: true; or once this has ended: false. While nobody does, nothing is kept.
    func isWanted() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLockedValue { state in
                if state.isEnded { return false }
                if !state.subscribers.isEmpty { return true }
                state.newest.removeAll()
                state.idler = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Ends every subscription, and refuses new ones.
    func end() {
        let (subscribers, idler) = state.withLockedValue { state in
            defer {
                state.subscribers.removeAll()
                state.idler = nil
            }
            state.isEnded = true
            return (Array(state.subscribers.values), state.idler)
        }
        for subscriber in subscribers { subscriber.end() }
        idler?.resume(returning: false)
    }

    private func leave(_ key: Int) {
        state.withLockedValue { _ = $0.subscribers.removeValue(forKey: key) }
    }

    /// Who listen now.
    var count: Int { state.withLockedValue { $0.subscribers.count } }
}

/// What is sent at once, as it is written on the wire (WHATWG HTML §9.2.6).
struct Event: Sendable {
    /// nil for a comment, which only keeps the connection.
    var name: String?
    var bytes: ByteBuffer

    /// - Parameter json: On one line.
    init(_ name: String, json: some Collection<UInt8>) {
        self.name = name
        bytes = ByteBuffer(string: "event: \(name)\ndata: ")
        bytes.writeBytes(json)
        bytes.writeStaticString("\n\n")
    }

    static let keepAlive = Event(comment: "keep-alive")

    private init(comment: String) { bytes = ByteBuffer(string: ": \(comment)\n\n") }
}

/// A place among those who listen. It is free again when nobody holds this any more: also where an answer was made of which not even the
/// head could be sent, since its connection was closed by then.
final class EventSubscription: Sendable {
    private let subscriber: EventSubscriber
    private let onLeave: @Sendable () -> Void

    init(_ subscriber: EventSubscriber, onLeave: @escaping @Sendable () -> Void) {
        self.subscriber = subscriber
        self.onLeave = onLeave
    }

    deinit { leave() }

    /// What it is owed, once that is something; nil at the end. For one reader.
    func next() async -> ByteBuffer? { await subscriber.next() }

    /// It stops listening.
    func leave() {
        subscriber.end()
        onLeave()
    }
}

/// One who listens, and what is owed.
final class EventSubscriber: Sendable {
    private struct State {
        /// In the order in which they began to be owed; one of each name.
        var pending: [Event] = []
        var known: Set<String> = []
        var isEnded = false
        var waiter: CheckedContinuation<ByteBuffer?, Never>?
    }

    private let state = NIOLockedValueBox(State())

    /// What it is owed, once that is something; nil at the end. For one reader.
    func next() async -> ByteBuffer? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready: ByteBuffer?? = state.withLockedValue { state in
                    if !state.pending.isEmpty {
                        defer { state.pending.removeAll(keepingCapacity: true) }
                        return .some(state.pending.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1.bytes) })
                    }
                    if state.isEnded { return .some(nil) }
                    state.waiter = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            end()
        }
    }

    func knows(_ name: String?) -> Bool { state.withLockedValue { name.map($0.known.contains) ?? true } }

    func offer(_ event: Event) {
        let waiter = state.withLockedValue { state -> CheckedContinuation<ByteBuffer?, Never>? in
            if let name = event.name { state.known.insert(name) }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            guard !state.isEnded else { return nil }
            if let index = state.pending.firstIndex(where: { $0.name == event.name }) {
                state.pending[index] = event
            } else {
                state.pending.append(event)
            }
            return nil
        }
        waiter?.resume(returning: event.bytes)
    }

    /// What it is owed still goes out.
    func end() {
        let waiter = state.withLockedValue { state in
            defer { state.waiter = nil }
            state.isEnded = true
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }
}
