import Dispatcher
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Lets replays that pods have come to their end at a shutdown, once the clients' listener has drained: nobody waits for them, but what was
/// cut would be of unknown outcome. Those that wait go on after the next start.
struct ReplayDrain: Service {
    let dispatcher: RequestDispatcher
    /// `DRAIN_TIMEOUT`.
    let timeout: Duration

    func run() async throws {
        try? await gracefulShutdown()
        await dispatcher.beginDrain()
        await dispatcher.stopDispatching()
        let isOver = NIOLockedValueBox(false)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await Task.sleep(for: timeout)
                isOver.withLockedValue { $0 = true }
                await dispatcher.look()
            }
            await dispatcher.settled { $0.load.leased == 0 || isOver.withLockedValue { $0 } }
            group.cancelAll()
        }
    }
}
