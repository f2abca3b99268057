import Glibc
import NIOConcurrencyHelpers
package import NIOCore

/// The control plane's HTTP client: libcurl's multi interface on one thread of its own, with connections that are kept.
///
/// No proxies from the environment, no redirects, no netrc; certificates are verified; every answer is bounded in size and time.
/// For what streams, or is on the data path, it is not.
package final class CurlClient: Sendable {
    private let loop: CurlLoop
    /// nil once it was joined.
    private let thread: NIOLockedValueBox<pthread_t?>

    /// - Parameter unusedTime: How long connections are kept at least that no exchange was made near.
    package init(unusedTime: TimeAmount = .seconds(60)) {
        loop = CurlLoop(unusedTime: unusedTime)
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { context in
                Unmanaged<CurlLoop>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(loop).toOpaque()
        )
        precondition(code == 0, "no thread for the HTTP client: \(String(cString: strerror(code)))")
        self.thread = NIOLockedValueBox(thread)
    }

    deinit {
        loop.close()
        if let thread = thread.withLockedValue({ $0 }) { pthread_detach(thread) }
    }

    /// Ends the thread; what is under way, and what comes later, ends with ``PodsError/Code/closed``. Returns when the thread is gone,
    /// which takes no longer than a callback does. Not to be called from one.
    package func shutdown() {
        loop.close()
        let joined = thread.withLockedValue { thread in
            defer { thread = nil }
            return thread
        }
        if let joined { pthread_join(joined, nil) }
    }

    /// One exchange. Any status is an answer, not an error. Ends early with ``PodsError/Code/cancelled`` when the task is cancelled.
    package func send(_ request: CurlRequest) async throws(PodsError) -> CurlResponse {
        let call = CurlCall()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                send(request, call) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            cancel(call)
        }
        return try result.get()
    }

    /// One exchange without a task: `completion` is called once, on the client's thread, and must not block.
    package func send(
        _ request: CurlRequest,
        _ call: CurlCall = CurlCall(),
        _ completion: @escaping @Sendable (Result<CurlResponse, PodsError>) -> Void
    ) {
        if !loop.execute({ [loop] in loop.begin(request, call, completion) }) {
            completion(.failure(CurlLoop.closed))
        }
    }

    /// Ends an exchange early, whose completion is still called.
    package func cancel(_ call: CurlCall) {
        _ = loop.execute { [loop] in loop.cancel(call) }
    }

    /// Does `work` on the client's thread; it must not block. Dropped after ``shutdown()``.
    func execute(_ work: @escaping @Sendable () -> Void) { _ = loop.execute(work) }

    // MARK: On the client's thread only

    /// As ``send(_:_:_:)``, without a way over the inbox.
    func sendHere(
        _ request: CurlRequest,
        _ call: CurlCall,
        _ completion: @escaping @Sendable (Result<CurlResponse, PodsError>) -> Void
    ) { loop.begin(request, call, completion) }

    func cancelHere(_ call: CurlCall) { loop.cancel(call) }

    func scheduleHere(at deadline: NIODeadline, _ work: @escaping () -> Void) { loop.schedule(at: deadline, work) }
}
