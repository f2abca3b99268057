import NIOCore

/// Whether a request's body comes as fast as it has to: averaged over a window of time each, so that what came fast at first is no credit
/// for what trickles later. A body that has come in part holds its share of `MAX_QUEUE_BYTES` and no place in the queue, whose time would
/// run out.
struct BodyPace {
    /// `BODY_MIN_RATE`.
    struct Rule: Sendable {
        /// Bytes a second; 0 for no bound.
        let rate: Int
        let window: TimeAmount

        /// How often the rate has to come while bodies fill more than half of their budget: then others need the room.
        static let pressed = 16

        /// Bytes that are to come in a window.
        func needed(isPressed: Bool) -> Int {
            let bytes = Double(rate) * Double(window.nanoseconds) / 1e9
            return Int(bytes) * (isPressed ? Self.pressed : 1)
        }
    }

    private let rule: Rule
    private var arrived = 0
    /// The end of the window.
    private(set) var until: NIODeadline

    init(_ rule: Rule, since now: NIODeadline) {
        self.rule = rule
        until = rule.rate > 0 ? now + rule.window : .distantFuture
    }

    mutating func take(_ bytes: Int) { arrived += bytes }

    /// Begins a new window: the time before it was not the client's.
    mutating func restart(at now: NIODeadline) {
        self = BodyPace(rule, since: now)
    }

    /// Whether enough came in a window that is over; then the next begins. True while it is not over.
    mutating func isKept(at now: NIODeadline, isPressed: Bool) -> Bool {
        guard now >= until else { return true }
        let isEnough = arrived >= rule.needed(isPressed: isPressed)
        restart(at: now)
        return isEnough
    }
}
