import Core
import NIOCore
import NIOPosix

/// What one event loop has of pods: the pools, the calls under way, and one timer for all of their deadlines.
final class UpstreamLoop: @unchecked Sendable {
    // `@unchecked`: used on `eventLoop` only, but for the constants.
    let eventLoop: any EventLoop
    let configuration: PodsConfiguration
    let tls: UpstreamTLS
    let threadPool: NIOThreadPool
    let now: @Sendable () -> NIODeadline

    /// By the pod's key. A pool lives as long as it has a connection.
    private var pools: [Int: UpstreamPool] = [:]
    /// In no order; each knows its place.
    private var calls: [UpstreamCall] = []
    private var isTicking = false
    /// Heads are written into it, one after the other: NIO has usually sent one before the next is written, and otherwise holds
    /// its own reference, so that the next gets other memory.
    private var scratch = ByteBuffer()

    private static let maximumScratch = 64 * 1024

    init(
        _ eventLoop: any EventLoop,
        _ configuration: PodsConfiguration,
        tls: UpstreamTLS,
        threadPool: NIOThreadPool,
        now: @escaping @Sendable () -> NIODeadline
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.tls = tls
        self.threadPool = threadPool
        self.now = now
    }

    func pool(of pod: Pod) -> UpstreamPool {
        if let pool = pools[pod.key] { return pool }
        let pool = UpstreamPool(pod: pod, loop: self)
        pools[pod.key] = pool
        return pool
    }

    /// Writes something small into memory that is used again and again.
    func serialise(_ write: (inout ByteBuffer) -> Void) -> ByteBuffer {
        if scratch.capacity > Self.maximumScratch { scratch = ByteBuffer() }
        scratch.clear()
        write(&scratch)
        return scratch
    }

    /// Closes every connection that is idle.
    func closeIdle() {
        for pool in pools.values { pool.closeIdle() }
    }

    // MARK: Deadlines

    func watch(_ call: UpstreamCall) {
        call.place = calls.count
        calls.append(call)
        tickLater()
    }

    func unwatch(_ call: UpstreamCall) {
        let last = calls.removeLast()
        if last !== call {
            calls[call.place] = last
            last.place = call.place
        }
    }

    /// Makes sure that ``tick()`` runs while there is something to look at.
    func tickLater() {
        guard !isTicking else { return }
        isTicking = true
        eventLoop.scheduleTask(in: configuration.timerGranularity) { self.tick() }
    }

    /// Ends the calls whose time has come and closes what has been idle for too long.
    func tick() {
        isTicking = false
        let now = now()
        // Their ends change the array.
        let late = calls.filter { $0.isLate(now) }
        for call in late { call.timeOut() }
        for pool in pools.values { pool.sweep(now) }
        if pools.values.contains(where: \.isEmpty) { pools = pools.filter { !$0.value.isEmpty } }
        if !calls.isEmpty || !pools.isEmpty { tickLater() }
    }
}
