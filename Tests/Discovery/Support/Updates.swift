import Core
import Discovery

/// What a discovery that runs reports, for a test that waits for it.
final class Updates {
    private let task: Task<Void, any Error>
    private var iterator: AsyncStream<DiscoveryUpdate>.Iterator

    init(of discovery: any PodDiscovery) {
        let (stream, continuation) = AsyncStream.makeStream(of: DiscoveryUpdate.self)
        iterator = stream.makeAsyncIterator()
        task = Task {
            defer { continuation.finish() }
            try await discovery.run { continuation.yield($0) }
        }
    }

    /// The next report; nil when it has ended.
    func next() async -> DiscoveryUpdate? { await iterator.next(isolation: #isolation) }

    /// The first report from here on that is as wanted; nil when it has ended.
    func first(where isWanted: (DiscoveryUpdate) -> Bool) async -> DiscoveryUpdate? {
        while let update = await iterator.next(isolation: #isolation) {
            if isWanted(update) { return update }
        }
        return nil
    }

    /// Ends it, as a gateway that stops does.
    /// - Returns: How it ended.
    func end() async -> Result<Void, any Error> {
        task.cancel()
        return await task.result
    }
}
