/// How long after a failure the API server is asked again: longer each time, and never at the same moment as others.
struct RetryPace: Sendable {
    private var failures = 0
    private var last: DiscoveryError.Code?
    private var generator: any RandomNumberGenerator & Sendable

    /// The first pause; each later one is twice as long, up to what the cause allows.
    private static let first = Duration.milliseconds(50)
    /// Where another cause begins again, at the latest: 0.4 s. What kept the API server away for long says little of what it answers when it
    /// is back.
    private static let another = 3

    init(generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.generator = generator
    }

    mutating func succeeded() { failures = 0 }

    /// - Returns: 50 to 100 % of the pause.
    mutating func pause(after error: DiscoveryError) -> Duration {
        if error.code != last { failures = min(failures, Self.another) }
        last = error.code
        let pause = min(Self.first * (1 << min(failures, 12)), Self.longest(error.code))
        failures += 1
        return max(pause * Double.random(in: 0.5...1, using: &generator), error.retryAfter ?? .zero)
    }

    private static func longest(_ code: DiscoveryError.Code) -> Duration {
        switch code {
        // Cheap to ask, and pods that come when it is back are to be found within a second.
        case .unreachable, .silent: .milliseconds(500)
        // A token or a file that is being replaced.
        case .unauthorized, .invalidFile: .seconds(2)
        case .gone, .refused, .invalidAnswer: .seconds(5)
        // A handshake each time, for what only a person mends.
        case .untrusted: .seconds(10)
        case .forbidden, .invalidConfiguration: .seconds(15)
        }
    }
}
