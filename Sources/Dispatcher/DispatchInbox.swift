import NIOConcurrencyHelpers

/// The dispatcher's mailbox: any event loop puts events in, the dispatcher's loop takes them out in order.
///
/// One `execute` wakes the dispatcher for all that come until it runs, whoever sends them. Unbounded, but each live request has at most
/// three events in it, and live requests are bounded by `MAX_QUEUE_DEPTH` and `MAX_CONNECTIONS`.
struct DispatchInbox: Sendable {
    private struct State {
        var mails: [DispatchMail] = []
        var isWoken = false
    }

    private let state = NIOLockedValueBox(State())

    /// Puts an event in.
    /// - Returns: Whether the dispatcher has to be woken: nothing else will make it look.
    func put(_ mail: DispatchMail) -> Bool {
        state.withLockedValue { state in
            state.mails.append(mail)
            if state.isWoken { return false }
            state.isWoken = true
            return true
        }
    }

    /// Takes all events out by exchanging them for `emptied`, whose storage is used again; ends the wake where there is none.
    /// - Returns: Whether there was one.
    func take(into emptied: inout [DispatchMail]) -> Bool {
        state.withLockedValue { state in
            guard !state.mails.isEmpty else {
                state.isWoken = false
                return false
            }
            swap(&state.mails, &emptied)
            return true
        }
    }
}
