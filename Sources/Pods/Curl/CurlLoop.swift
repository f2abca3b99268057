import CCurl
import Glibc
import NIOConcurrencyHelpers
import NIOCore

/// The thread under ``CurlClient``: all exchanges, and timers, in one loop over libcurl's multi interface.
final class CurlLoop: @unchecked Sendable {
    // `@unchecked`: `inbox` guards itself; everything below it is the thread's own, but `multi`, whose address never changes
    // and of which other threads use only `curl_multi_wakeup`, under the inbox's lock and before it is closed.

    private struct Inbox {
        /// What other threads want done. Not bounded here: each exchange is bounded by who asks for it.
        var work: [@Sendable () -> Void] = []
        var isClosed = false
    }

    private struct Timer {
        let deadline: NIODeadline
        let work: () -> Void
    }

    private let inbox = NIOLockedValueBox(Inbox())
    private let multi: UnsafeMutableRawPointer
    private let connections: ConnectionShares
    private var timers: [Timer] = []
    private var underWay: [ObjectIdentifier: CurlTransfer] = [:]
    private var spare: [CurlTransfer] = []
    /// Counts the exchanges.
    private var begun = 0
    /// Nothing begins any more.
    private var isOver = false

    /// Handles kept for the next exchanges.
    private static let maximumSpare = 64
    /// Idle connections that are kept in each of ``connections``: one for each pod that is polled. Without this libcurl keeps four for each
    /// exchange under way.
    private static let maximumConnections = 256

    private static let isInitialised = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    /// - Parameter unusedTime: See ``CurlClient/init(unusedTime:)``.
    init(unusedTime: TimeAmount) {
        precondition(Self.isInitialised, "libcurl cannot be set up")
        connections = ConnectionShares(unusedTime: unusedTime)
        guard let multi = curl_multi_init() else { preconditionFailure("no memory for libcurl") }
        self.multi = multi
        _ = neutrino_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.maximumConnections)
    }

    deinit {
        spare.removeAll()
        connections.close()
        curl_multi_cleanup(multi)
    }

    // MARK: From any thread

    /// Does `work` on the thread, in the order of calls.
    /// - Returns: false where the loop was closed and nothing will be done.
    func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        inbox.withLockedValue { inbox in
            guard !inbox.isClosed else { return false }
            inbox.work.append(work)
            if inbox.work.count == 1 { curl_multi_wakeup(multi) }
            return true
        }
    }

    /// Makes ``run()`` return; what is under way ends with ``PodsError/Code/closed``.
    func close() {
        inbox.withLockedValue { inbox in
            guard !inbox.isClosed else { return }
            inbox.isClosed = true
            curl_multi_wakeup(multi)
        }
    }

    // MARK: On the thread

    /// Runs until ``close()``.
    func run() {
        // OpenSSL writes with write(2): a peer that is gone is an error to read, not a signal.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        var isClosed = false
        while !isClosed {
            isClosed = runInbox()
            runTimers()
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finishDone()
            // Callbacks may have left work, whose wake-up makes this return at once.
            if !isClosed { curl_multi_poll(multi, nil, 0, pollMilliseconds(), nil) }
        }
        isOver = true
        for transfer in Array(underWay.values) {
            end(transfer, .failure(Self.closed))
        }
        underWay.removeAll()
        timers.removeAll()
    }

    static let closed = PodsError(.closed, "the HTTP client was shut down")

    /// Begins an exchange.
    func begin(
        _ request: CurlRequest,
        _ call: CurlCall,
        _ completion: @escaping @Sendable (Result<CurlResponse, PodsError>) -> Void
    ) {
        guard case .new = call.state else { return completion(.failure(Self.cancelled)) }
        guard !isOver else { return completion(.failure(Self.closed)) }
        guard let transfer = spare.popLast() ?? CurlTransfer() else {
            return completion(.failure(PodsError(.transferFailed, "no memory for libcurl")))
        }
        begun += 1
        transfer.prepare(
            request,
            connections: connections.begin(request),
            prunesNames: begun % 1024 == 0,
            call: call,
            completion: completion
        )
        call.state = .underWay(transfer)
        underWay[ObjectIdentifier(transfer)] = transfer
        let code = curl_multi_add_handle(multi, transfer.handle)
        if code != CURLM_OK {
            end(transfer, .failure(PodsError(.transferFailed, String(cString: curl_multi_strerror(code)))))
        }
    }

    /// Ends an exchange whose answer nobody wants any more; its completion hears of it.
    func cancel(_ call: CurlCall) {
        switch call.state {
        case .new: call.state = .ended
        case .underWay(let transfer): end(transfer, .failure(Self.cancelled))
        case .ended: break
        }
    }

    private static let cancelled = PodsError(.cancelled, "the exchange was cancelled")

    /// Does `work` at a time, or soon after. There are few timers at once: one for each poller.
    func schedule(at deadline: NIODeadline, _ work: @escaping () -> Void) {
        timers.append(Timer(deadline: deadline, work: work))
    }

    private func runInbox() -> Bool {
        let (work, isClosed) = inbox.withLockedValue { inbox in
            let work = inbox.work
            inbox.work = []
            return (work, inbox.isClosed)
        }
        for item in work { item() }
        return isClosed
    }

    private func runTimers() {
        guard !timers.isEmpty else { return }
        let now = NIODeadline.now()
        let due = timers.filter { $0.deadline <= now }
        guard !due.isEmpty else { return }
        timers.removeAll { $0.deadline <= now }
        for timer in due { timer.work() }
    }

    private func finishDone() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            // Read before the handle is removed: the message lives no longer than that.
            let code = neutrino_curl_message_result(message)
            let transfer = CurlTransfer.of(handle)
            end(transfer, code == CURLE_OK ? .success(()) : .failure(transfer.problem(code)))
        }
    }

    private func end(_ transfer: CurlTransfer, _ result: Result<Void, PodsError>) {
        curl_multi_remove_handle(multi, transfer.handle)
        underWay[ObjectIdentifier(transfer)] = nil
        let slot = transfer.slot
        transfer.finish(result)
        connections.ended(slot)
        if spare.count < Self.maximumSpare { spare.append(transfer) }
    }

    private func pollMilliseconds() -> Int32 {
        guard let next = timers.lazy.map(\.deadline).min() else { return 60_000 }
        let wait = (next - .now()).nanoseconds
        return wait <= 0 ? 0 : Int32(min((wait + 999_999) / 1_000_000, 60_000))
    }
}
