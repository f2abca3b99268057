import NIOConcurrencyHelpers

/// What happened, in order, for a test that waits for the next. One reader at a time.
final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var reader: CheckedContinuation<Element, Never>?
    }

    private let state = NIOLockedValueBox(State())

    func put(_ element: Element) {
        let reader = state.withLockedValue { state -> CheckedContinuation<Element, Never>? in
            defer { state.reader = nil }
            if state.reader == nil { state.elements.append(element) }
            return state.reader
        }
        reader?.resume(returning: element)
    }

    func next() async -> Element {
        await withCheckedContinuation { reader in
            let element = state.withLockedValue { state -> Element? in
                guard state.elements.isEmpty else { return state.elements.removeFirst() }
                state.reader = reader
                return nil
            }
            if let element { reader.resume(returning: element) }
        }
    }
}
