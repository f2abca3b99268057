import Dispatcher
import ServiceLifecycle

/// Runs the bulk replays until the shutdown. They begin nothing in a drain: what they made and no pod has goes on at the next start.
struct ReplayService: Service {
    let runner: ReplayRunner

    func run() async throws {
        await cancelWhenGracefulShutdown { await runner.run() }
    }
}
