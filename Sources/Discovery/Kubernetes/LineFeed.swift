import NIOConcurrencyHelpers
import Pods

/// Cuts what a watch sends into lines and hands them from the HTTP client's thread to who reads. Bounded: a line that is too long, or more
/// lines than its reader keeps up with, end it.
final class LineFeed: Sendable {
    enum Part: Sendable {
        /// The server has taken the watch.
        case begun
        case line([UInt8])
        /// Who reads wanted to know when it has lasted for a time.
        case lasted
        /// The exchange is over; a last line without its end is not told.
        case end(Result<CurlResponse, PodsError>)
    }

    private struct State {
        /// The beginning of a line.
        var rest: [UInt8] = []
        /// Bytes in lines that were not taken yet.
        var waiting = 0
        var problem: DiscoveryError?
    }

    let parts: AsyncStream<Part>
    private let more: AsyncStream<Part>.Continuation
    private let state = NIOLockedValueBox(State())
    private let limits: KubernetesLimits

    init(_ limits: KubernetesLimits) {
        self.limits = limits
        // Bounded by `waiting`.
        (parts, more) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Why it ended itself.
    var problem: DiscoveryError? { state.withLockedValue { $0.problem } }

    /// - Parameter bytes: None when the answer's head is there.
    /// - Returns: false to end the exchange.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        state.withLockedValue { state in
            guard state.problem == nil else { return false }
            if bytes.isEmpty { more.yield(.begun) }
            var remainder = bytes[...]
            while let end = remainder.firstIndex(of: UInt8(ascii: "\n")) {
                let line = state.rest + remainder[..<end]
                state.rest = []
                remainder = remainder[(end + 1)...]
                guard line.count <= limits.eventBytes else { return fail(&state) }
                // An empty line keeps the connection and says nothing.
                guard line.contains(where: { $0 > 0x20 }) else { continue }
                state.waiting += line.count
                more.yield(.line(line))
            }
            state.rest += remainder
            if state.rest.count > limits.eventBytes { return fail(&state) }
            guard state.waiting <= limits.waitingBytes else {
                state.problem = DiscoveryError(
                    .invalidAnswer,
                    "the watch sends faster than its events are read: more than \(limits.waitingBytes) bytes wait"
                )
                return false
            }
            return true
        }
    }

    func wasTaken(_ line: [UInt8]) { state.withLockedValue { $0.waiting -= line.count } }

    func hasLasted() { more.yield(.lasted) }

    func end(_ result: Result<CurlResponse, PodsError>) {
        more.yield(.end(result))
        more.finish()
    }

    private func fail(_ state: inout State) -> Bool {
        state.rest = []
        state.problem = DiscoveryError(.invalidAnswer, "an event of the watch is over \(limits.eventBytes) bytes")
        return false
    }
}
