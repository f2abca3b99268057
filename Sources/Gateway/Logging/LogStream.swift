import Dispatch
import NIOConcurrencyHelpers
import SystemPackage

/// Writes log lines to a file descriptor, one write for all that came while the last one ran.
///
/// Whoever logs only appends to a buffer: a terminal or pipe that takes nothing never stops an event loop. Beyond
/// ``maximumBytes`` waiting, lines are dropped and counted, and the count is written as soon as there is room again.
final class LogStream: Sendable {
    /// Of lines that wait to be written.
    static let maximumBytes = 4 << 20

    private struct State {
        var waiting: [UInt8] = []
        var dropped = 0
        var isWriting = false
    }

    private let state = NIOLockedValueBox(State())
    private let queue = DispatchQueue(label: "log", qos: .utility)
    private let write: @Sendable ([UInt8]) -> Void
    private let droppedLine: @Sendable (Int) -> String

    /// - Parameters:
    ///   - write: Writes it all, blocking; called on one thread at a time.
    ///   - droppedLine: The line, ended by a line feed, that tells how many were dropped.
    init(droppedLine: @escaping @Sendable (Int) -> String, write: @escaping @Sendable ([UInt8]) -> Void) {
        self.droppedLine = droppedLine
        self.write = write
    }

    /// Hands over a line, ended by a line feed. Returns at once.
    func append(_ line: String) {
        let begins = state.withLockedValue { state in
            guard state.waiting.count < Self.maximumBytes else {
                state.dropped += 1
                return false
            }
            if state.dropped > 0 {
                state.waiting.append(contentsOf: droppedLine(state.dropped).utf8)
                state.dropped = 0
            }
            state.waiting.append(contentsOf: line.utf8)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begins { queue.async { self.writeWaiting() } }
    }

    /// Returns when everything handed over so far was written, before the process ends; or when that takes too long: whoever does not read
    /// the log must not keep the process from ending.
    func flush(within limit: DispatchTimeInterval = .seconds(1)) {
        let done = DispatchSemaphore(value: 0)
        queue.async {
            self.writeWaiting()
            done.signal()
        }
        _ = done.wait(timeout: .now() + limit)
    }

    private func writeWaiting() {
        while true {
            let bytes = state.withLockedValue { state in
                if state.waiting.isEmpty, state.dropped > 0 {
                    state.waiting.append(contentsOf: droppedLine(state.dropped).utf8)
                    state.dropped = 0
                }
                defer { state.waiting = [] }
                state.isWriting = !state.waiting.isEmpty
                return state.waiting
            }
            if bytes.isEmpty { return }
            write(bytes)
        }
    }
}

extension FileDescriptor {
    /// Writes everything, however often that takes; gives up where the descriptor takes nothing any more.
    @Sendable func writeWhole(_ bytes: [UInt8]) {
        _ = try? writeAll(bytes)
    }
}
