import Glibc
import NIOConcurrencyHelpers

/// A few file descriptors that are held back: with none left, clients are accepted on these, told so, and closed, where they would wait in the
/// kernel's backlog for what may never come.
final class SpareDescriptors: Sendable {
    private struct State {
        var held: [CInt] = []
        /// They were given up, and are not held again: what is accepted has one of them, or keeps them from being held.
        var isUsedUp = false
        var isClosed = false

        /// All or none. False where they cannot be had.
        mutating func refill() -> Bool {
            guard !isClosed else { return true }
            var opened: [CInt] = []
            while held.count + opened.count < SpareDescriptors.count {
                let descriptor = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else {
                    for descriptor in opened { Glibc.close(descriptor) }
                    return false
                }
                opened.append(descriptor)
            }
            held += opened
            isUsedUp = false
            return true
        }
    }

    static let count = 8

    private let state = NIOLockedValueBox(State())

    init() { refill() }

    deinit { close() }

    /// Gives them up, so that as many connections can be accepted. False where there are none.
    func giveUp() -> Bool {
        state.withLockedValue { state in
            guard !state.held.isEmpty else { return false }
            for descriptor in state.held { Glibc.close(descriptor) }
            state.isUsedUp = true
            state.held = []
            return true
        }
    }

    /// Whether a connection that was just accepted has one of those that were given up, and is to be refused. Not where there are enough
    /// again: then they are held as before.
    func isNeeded() -> Bool {
        state.withLockedValue { state in
            state.isUsedUp && !state.refill()
        }
    }

    /// Holds as many as before, where there are as many again.
    func refill() {
        state.withLockedValue { _ = $0.refill() }
    }

    func close() {
        state.withLockedValue { state in
            for descriptor in state.held { Glibc.close(descriptor) }
            state.held = []
            state.isClosed = true
        }
    }
}
