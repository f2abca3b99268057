import NIOCore

/// Leaves a pod alone that fails one request after another, and tries it again after a while with one request.
///
/// The beginning of an answer is enough to let others follow. Where the trial takes long to begin one, as work on a GPU may, another
/// is let through each `openFor`: one long task says nothing against the pod.
struct Breaker {
    enum Failure {
        /// No connection came about: the pod is not there.
        case transport
        /// No answer in time, one that broke off, or a 5xx other than busy: the pod is there, and the fault may lie in the requests.
        case answer
    }

    private enum State {
        case closed
        case open(until: NIODeadline)
        /// One request is let through, to see: the next one, or, with one on trial, one from then on.
        case halfOpen(nextTrial: NIODeadline?)
    }

    private let configuration: BreakerConfiguration
    private var state = State.closed
    private var failuresInARow = 0
    private var onlyTransport = true
    private var period: TimeAmount
    private var openedAt = NIODeadline.uptimeNanoseconds(0)

    init(_ configuration: BreakerConfiguration) {
        self.configuration = configuration
        period = configuration.openFor
    }

    /// Nothing is to be sent.
    var isShut: Bool {
        switch state {
        case .closed: false
        case .open: true
        case .halfOpen(let nextTrial): nextTrial != nil
        }
    }

    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Whether nothing has failed since the last answer.
    var isWell: Bool { isClosed && failuresInARow == 0 }

    /// Whether it counts for more than the rule that half of the pods stay: every failure was one of transport.
    var isHard: Bool { onlyTransport }

    /// When it lets a request through again; nil unless it is open.
    var reopensAt: NIODeadline? {
        if case .open(let until) = state { until } else { nil }
    }

    /// When time alone lets a request through; nil for never, or now.
    var nextTrial: NIODeadline? {
        switch state {
        case .closed: nil
        case .open(let until): until
        case .halfOpen(let nextTrial): nextTrial
        }
    }

    /// `closed`, `open`, `half_open`.
    var name: String {
        switch state {
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half_open"
        }
    }

    /// Time passed.
    mutating func tick(now: NIODeadline) {
        if let nextTrial, nextTrial <= now { state = .halfOpen(nextTrial: nil) }
    }

    /// A request is sent.
    /// - Returns: Whether it is the trial: its end must be told, with ``trialEnded()`` where it proves nothing.
    mutating func began(now: NIODeadline) -> Bool {
        guard case .halfOpen(nil) = state else { return false }
        state = .halfOpen(nextTrial: now + configuration.openFor)
        return true
    }

    /// The trial ended without saying anything about the pod: another may follow.
    mutating func trialEnded() {
        if case .halfOpen = state { state = .halfOpen(nextTrial: nil) }
    }

    /// A request that was sent at `startedAt` got an answer that is no failure, or the beginning of one.
    mutating func succeeded(startedAt: NIODeadline) {
        switch state {
        case .closed: failuresInARow = 0
        // What was sent before it opened says nothing about now.
        case .open, .halfOpen: if startedAt >= openedAt { reset() }
        }
    }

    mutating func failed(_ failure: Failure, isTrial: Bool, now: NIODeadline) {
        switch state {
        case .closed:
            onlyTransport = failure == .transport && (failuresInARow == 0 || onlyTransport)
            failuresInARow += 1
            if failuresInARow >= configuration.failures { open(now) }
        case .open:
            break
        case .halfOpen:
            guard isTrial else { break }
            onlyTransport = failure == .transport
            period = min(period * 2, configuration.longestOpenFor)
            open(now)
        }
    }

    /// Closes it.
    mutating func reset() {
        state = .closed
        failuresInARow = 0
        onlyTransport = true
        period = configuration.openFor
    }

    private mutating func open(_ now: NIODeadline) {
        state = .open(until: now + period)
        openedAt = now
        failuresInARow = 0
    }
}
