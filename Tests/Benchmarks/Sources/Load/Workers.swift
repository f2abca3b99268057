package import NIOCore
import NIOPosix

/// Runs one worker on each of some event loops and adds up what they counted.
package enum Workers {
    /// - Parameter make: Makes the worker of a loop, on that loop, and starts it.
    package static func run<Count: Sendable>(
        threads: Int,
        start make: @escaping @Sendable (any EventLoop, Int) -> EventLoopFuture<Count>
    ) async throws -> [Count] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        do {
            let loops = Array(group.makeIterator())
            let started = loops.enumerated().map { index, loop in loop.flatSubmit { make(loop, index) } }
            let counts = try await EventLoopFuture.whenAllSucceed(started, on: loops[0]).get()
            try await group.shutdownGracefully()
            return counts
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// How many of `total` are the part of worker `index` of `workers`.
    package static func share(of total: Int, index: Int, of workers: Int) -> Int {
        total / workers + (index < total % workers ? 1 : 0)
    }
}
