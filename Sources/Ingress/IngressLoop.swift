import Core
import NIOCore
import Queue
import Synchronization

/// What the connections of one event loop share: the routes as last read, the date, who is idle since when.
final class IngressLoop: @unchecked Sendable {
    // `@unchecked`: used on its event loop only, but for `eventLoop`, `shared` and the atomic.

    let eventLoop: any EventLoop
    let shared: IngressShared
    private var routeSnapshot: RouteSnapshot
    private var dateStamp = DateStamp()
    var accessLog: AccessLog
    var traceIDs = TraceIDGenerator()
    /// Memory for what an answer's head gets beside the pod's fields.
    var scratch = ByteBuffer()
    /// Of the budget for bodies, by the routes' keys, as far as they were looked up.
    private var shares: [ByteBudget.Share?] = []
    private var connections: [ObjectIdentifier: ClientConnection] = [:]
    private var idle = IdleList()
    /// Requests whose answers are not written yet.
    private var exchanges = 0
    private var quietWaiters: [EventLoopPromise<Bool>] = []
    private let oldestIdleNanoseconds = Atomic<UInt64>(.max)

    init(eventLoop: any EventLoop, shared: IngressShared) {
        self.eventLoop = eventLoop
        self.shared = shared
        routeSnapshot = RouteSnapshot(of: shared.routes)
        let configuration = shared.configuration
        accessLog = AccessLog(mode: configuration.accessLog, redaction: configuration.redaction, logger: shared.logger)
    }

    var routes: RouteTable { routeSnapshot.current }

    /// What the requests of a route have of the budget for bodies.
    func share(of route: Route) -> ByteBudget.Share {
        if route.key < shares.count, let share = shares[route.key] { return share }
        let share = shared.budget.share(ofRoute: route.key)
        while shares.count <= route.key { shares.append(nil) }
        shares[route.key] = share
        return share
    }

    func date(at now: NIODeadline) -> DateStamp {
        dateStamp.refresh(at: now)
        return dateStamp
    }

    // MARK: Connections

    func add(_ connection: ClientConnection) {
        connections[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: ClientConnection) {
        becameBusy(connection)
        connections[ObjectIdentifier(connection)] = nil
    }

    func becameIdle(_ connection: ClientConnection, since now: NIODeadline) {
        idle.append(connection, since: now)
        publishOldest()
    }

    func becameBusy(_ connection: ClientConnection) {
        idle.remove(connection)
        publishOldest()
    }

    /// Since when the longest idle connection here is idle, in nanoseconds of `NIODeadline`; the largest number where none is. From any
    /// thread.
    var oldestIdle: UInt64 { oldestIdleNanoseconds.load(ordering: .relaxed) }

    private func publishOldest() {
        let oldest = idle.first?.idleSince.uptimeNanoseconds ?? .max
        oldestIdleNanoseconds.store(oldest, ordering: .relaxed)
    }

    /// Makes room for another connection.
    func closeLongestIdle() {
        idle.first?.close()
    }

    /// Answers the requests that have not come whole.
    func drainEnded() {
        for connection in connections.values { connection.drainEnded() }
    }

    /// Closes all connections, whatever they do.
    /// - Returns: How many answers were cut by it.
    func closeAll() -> Int {
        connections.values.count { $0.cut() }
    }

    // MARK: Requests under way

    func exchangeBegan() { exchanges += 1 }

    func exchangeEnded() {
        exchanges -= 1
        if exchanges == 0 { tellWaiters(true) }
    }

    /// Succeeds with true as soon as no answer is outstanding, with false when the time has passed. From any thread.
    func untilQuiet(within time: TimeAmount) -> EventLoopFuture<Bool> {
        eventLoop.flatSubmit { [self] in
            guard exchanges > 0 else { return eventLoop.makeSucceededFuture(true) }
            let promise = eventLoop.makePromise(of: Bool.self)
            quietWaiters.append(promise)
            let timeout = eventLoop.scheduleTask(in: time) { [self] in giveUpWaiting() }
            promise.futureResult.whenComplete { _ in timeout.cancel() }
            return promise.futureResult
        }
    }

    /// Answers those who wait for quiet, now.
    func giveUpWaiting() {
        tellWaiters(exchanges == 0)
    }

    private func tellWaiters(_ isQuiet: Bool) {
        let waiters = quietWaiters
        quietWaiters = []
        for waiter in waiters { waiter.succeed(isQuiet) }
    }
}

/// Idle connections, the longest idle first; linked through the connections themselves, so that each move costs the same.
private struct IdleList {
    private(set) var first: ClientConnection?
    private unowned(unsafe) var last: ClientConnection?

    mutating func append(_ connection: ClientConnection, since now: NIODeadline) {
        guard !connection.idleLink.isLinked else { return }
        connection.idleSince = now
        connection.idleLink.isLinked = true
        connection.idleLink.previous = last
        if let last { last.idleLink.next = connection } else { first = connection }
        last = connection
    }

    mutating func remove(_ connection: ClientConnection) {
        guard connection.idleLink.isLinked else { return }
        let (previous, next) = (connection.idleLink.previous, connection.idleLink.next)
        connection.idleLink = IdleLink()
        if let previous { previous.idleLink.next = next } else { first = next }
        if let next { next.idleLink.previous = previous } else { last = previous }
    }
}

/// A connection's place in the list of those that are idle on its loop.
struct IdleLink {
    var isLinked = false
    // Unowned and unsafe, because whoever is linked is alive: it leaves the list before its loop forgets it.
    unowned(unsafe) var previous: ClientConnection?
    var next: ClientConnection?
}
