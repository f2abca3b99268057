import CSQLite
import Glibc

/// A thread that runs one function to its end. Its owner waits for it or lets it go: exactly one of the two, once.
final class WorkerThread: @unchecked Sendable {
    // `@unchecked`: `handle` is written by init only, and used once, by the owner.

    private var handle = pthread_t()

    /// - Parameter name: At most 15 characters (PR_SET_NAME of prctl(2)).
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Context(name: name, body: body)).toOpaque()
        let code = pthread_create(
            &handle,
            nil,
            { context in
                let context = Unmanaged<Context>.fromOpaque(context!).takeRetainedValue()
                neutrino_name_thread(context.name)
                context.body()
                return nil
            },
            context
        )
        precondition(code == 0, "a thread can be started at start-up")
    }

    /// Waits until it has ended.
    func join() {
        pthread_join(handle, nil)
    }

    /// Lets it run to its end by itself.
    func detach() {
        pthread_detach(handle)
    }

    private final class Context {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
