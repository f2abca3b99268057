package import Core
import NIOConcurrencyHelpers
package import NIOCore

/// What became of requests since the start, by route, and in the last 15 minutes: for metrics and for the operators' page.
///
/// Fed by the journal, past which every end and every rejection goes. That is the hot path: one short lock, a handful of
/// additions, no memory once a route has been seen. It counts what this process saw end; the ends that recovery writes for an earlier
/// one are in the request log only. What is read is copied with the lock held and worked out afterwards.
package final class RequestMeter: Sendable {
    fileprivate struct State {
        /// By ``Core/Route/key``; nil for one that no request of has ended.
        var routes: [RouteRecord?] = []
        var waits = WaitWindow()
        var history: HistoryRing
    }

    private let state: NIOLockedValueBox<State>
    private let now: @Sendable () -> NIODeadline
    private let milliseconds: @Sendable () -> Int64

    package convenience init() {
        self.init(now: { .now() }, milliseconds: { wallClockMilliseconds() })
    }

    /// - Parameters:
    ///   - now: Times what happens.
    ///   - milliseconds: Since 1970, for what is shown.
    package init(now: @escaping @Sendable () -> NIODeadline, milliseconds: @escaping @Sendable () -> Int64) {
        self.now = now
        self.milliseconds = milliseconds
        state = NIOLockedValueBox(State(history: HistoryRing(now: now(), milliseconds: milliseconds())))
    }

    // MARK: Recording, from any thread

    /// A request ended.
    package func ended(_ outcome: Outcome) {
        let now = now()
        let isLive = outcome.priority == .live
        // A replay waits behind all clients for as long as it takes: its hold says nothing of what clients feel.
        let hold = isLive ? max(outcome.hold, .zero) : nil
        let isServerError = outcome.state == .completed && outcome.status.map { $0 >= 500 } ?? false
        state.withLockedValue { state in
            state.history.end(
                outcome.state,
                isServerError: isServerError,
                hold: hold,
                upstream: outcome.upstream,
                at: now
            )
            if let hold { state.waits.record(hold, at: now) }
            state.withRecord(of: outcome.route) { record in
                record.count(EndKind(outcome.state, outcome.reason, outcome.status))
                record.statistics.retries += max(outcome.attempts - 1, 0)
                if let hold { record.statistics.hold.record(hold) }
                if let upstream = outcome.upstream { record.statistics.upstream.record(upstream) }
                if isLive { record.statistics.total.record(outcome.total) }
                if let hold { record.waits.record(hold, at: now) }
            }
        }
    }

    /// A request was refused at the door, whether or not it gets a row.
    package func rejected(_ rejection: Rejection) {
        let now = now()
        state.withLockedValue { state in
            state.history.end(.rejected, hold: nil, upstream: nil, at: now)
            state.withRecord(of: rejection.route) { record in
                record.count(EndKind(.rejected, rejection.reason, rejection.status))
            }
        }
    }

    /// How many wait now, and since when: asked again and again by who keeps the history.
    package func sample(depth: Int, oldestAge: TimeAmount) {
        let now = now()
        state.withLockedValue { $0.history.sample(depth: depth, oldestAge: oldestAge, at: now) }
    }

    // MARK: Reading

    /// Every route of which a request has ended, by key.
    package var routes: [RouteStatistics] {
        state.withLockedValue { $0.routes.compactMap { $0?.statistics } }
    }

    /// The holds of what ended in the last 15 minutes: of all, and by route id where there were any.
    package var waits: (all: WaitStatistics, routes: [String: WaitStatistics]) {
        let now = now()
        let (all, routes) = state.withLockedValue { state in
            (state.waits, state.routes.compactMap { $0.map { ($0.statistics.routeID, $0.waits) } })
        }
        var statistics: [String: WaitStatistics] = [:]
        for (id, window) in routes {
            let waits = window.statistics(at: now)
            if waits.count > 0 { statistics[id] = waits }
        }
        return (all.statistics(at: now), statistics)
    }

    /// The last 15 minutes, 5 seconds at a time, oldest first; without those that are not over yet.
    package var history: [HistoryPoint] {
        let (now, milliseconds) = (now(), milliseconds())
        return state.withLockedValue { $0.history }.points(at: now, milliseconds: milliseconds)
    }

    /// The last of ``history``.
    package var newestPoint: HistoryPoint {
        let (now, milliseconds) = (now(), milliseconds())
        return state.withLockedValue { $0.history.newest(at: now, milliseconds: milliseconds) }
    }
}

extension RequestMeter.State {
    /// Changes the record of a route, which is made where there is none. No route at all counts as `default`, whose key is 0.
    fileprivate mutating func withRecord(of route: Route?, _ body: (inout RouteRecord) -> Void) {
        let key = route?.key ?? 0
        while routes.count <= key { routes.append(nil) }
        if routes[key] == nil { routes[key] = RouteRecord(route?.id ?? Route.defaultID) }
        body(&routes[key]!)
    }
}

/// What is kept of a route.
private struct RouteRecord: Sendable {
    var statistics: RouteStatistics
    var waits = WaitWindow()

    init(_ id: String) { statistics = RouteStatistics(routeID: id) }

    mutating func count(_ kind: EndKind) {
        // A handful in practice, the commonest first.
        for index in statistics.ends.indices where statistics.ends[index].kind == kind {
            statistics.ends[index].count += 1
            return
        }
        statistics.ends.append((kind, 1))
    }
}

/// What became of a route's requests since the start.
package struct RouteStatistics: Sendable {
    package var routeID: String
    package var ends: [(kind: EndKind, count: Int)] = []
    /// Of clients' requests that ended with an outcome, as is ``total``; ``upstream`` also of replays, where a pod had it.
    package var hold = BucketHistogram()
    package var upstream = BucketHistogram()
    package var total = BucketHistogram()
    /// Dispatches after the first.
    package var retries = 0
}

/// How a request ended, as it is counted.
package struct EndKind: Sendable, Hashable {
    package var state: RequestState
    package var reason: EndReason
    /// The first digit of the status that the client was sent; 0 where it was sent none.
    package var statusClass: UInt8

    package init(_ state: RequestState, _ reason: EndReason, _ status: Int?) {
        self.state = state
        self.reason = reason
        statusClass = UInt8(clamping: (status ?? 0) / 100)
    }
}
