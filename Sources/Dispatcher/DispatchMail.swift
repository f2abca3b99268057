import Core
import NIOCore

/// An event and who raised it.
struct DispatchMail {
    var exchange: Exchange
    var event: ExchangeEvent
    /// By the clock of the loop that raised it.
    var time: NIODeadline
}

/// What an ``Exchange`` tells the dispatcher about its request.
enum ExchangeEvent {
    /// A whole request came.
    case arrived
    /// The attempt on its pod ended, and the lease with it. `writtenAt`: when the request's last byte was written, nil where it never was;
    /// `capacity`: what the pod's answer said is free now.
    case attemptEnded(AttemptEnd, writtenAt: NIODeadline?, capacity: ResourceVector?)
    /// The answer of an attempt that is a pod's trial began, and is no failure.
    case answerBegan
    /// It is given up before any byte of the current attempt was sent.
    case withdrawn
}

/// Why a request is taken back while no pod has it.
enum Withdrawal {
    case clientLeft
    case gatewayEnds
    case storageFailed
}

extension AttemptEnd {
    /// Whether the request may be tried again: it stays the dispatcher's.
    var mayGoBack: Bool {
        switch self {
        case .busy, .connectFailed, .outOfResources, .died: true
        case .answered, .aborted, .broken: false
        }
    }
}
