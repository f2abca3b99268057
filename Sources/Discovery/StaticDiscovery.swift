package import Core
import NIOConcurrencyHelpers

/// The pods of a fixed list: `STATIC_BACKENDS`, which may be replaced while it runs.
package final class StaticDiscovery: PodDiscovery {
    private struct State: Sendable {
        var backends: [PodDescription]
        /// Where changes go while ``run(_:)`` runs.
        var changes: AsyncStream<Void>.Continuation?
    }

    private let state: NIOLockedValueBox<State>

    package init(backends: [PodDescription]) {
        state = NIOLockedValueBox(State(backends: backends))
    }

    /// Replaces the list; ``run(_:)`` reports it soon after.
    package func update(_ backends: [PodDescription]) {
        let changes = state.withLockedValue { state in
            state.backends = backends
            return state.changes
        }
        changes?.yield()
    }

    package func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws {
        // One element at most: a change that nobody has read yet stands for those after it too.
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLockedValue { $0.changes = continuation }
        continuation.yield()
        for await _ in stream {
            let backends = state.withLockedValue { $0.backends }
            await report(
                DiscoveryUpdate(pods: backends, problem: backends.isEmpty ? "the list of backends is empty" : nil)
            )
        }
        try Task.checkCancellation()
    }
}
