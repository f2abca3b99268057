import Core
import Logging
import NIOCore
import NIOPosix
import TaskPod

/// Runs `body` with a task pod in this process, and event loops for clients.
func withPod(
    cpus: Int64 = 64,
    _ body: (TaskPodServer, MultiThreadedEventLoopGroup) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    var configuration = TaskPodConfiguration()
    configuration.total = ResourceVector(cpus: cpus * 1000, gpus: 0, memory: 256_000)
    let pod = try await TaskPodServer.start(
        configuration,
        group: group,
        logger: Logger(label: "pod") { _ in SwiftLogNoOpLogHandler() }
    )
    try await body(pod, group)
    await pod.stop()
    try await group.shutdownGracefully()
}

extension TaskPodServer {
    /// Returns when it has seen a request. Where that came before the pod's first sample, its dispatch is a row of its own: rows do not tell.
    func gotRequest() async throws {
        while requestIDs().isEmpty { try await Task.sleep(for: .milliseconds(2)) }
    }
}
