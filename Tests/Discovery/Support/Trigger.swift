import NIOConcurrencyHelpers

/// Lets what waits go on when a test says so; what nobody waited for yet is kept, once. One waits at a time.
final class Trigger: Sendable {
    private let stream = NIOLockedValueBox(Trigger.make())

    private static func make() -> (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation) {
        AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func pull() { stream.withLockedValue { $0.continuation }.yield() }

    func wait() async throws {
        for await _ in stream.withLockedValue({ $0.stream }) { return }
        // Cancelled, which ends a stream: whoever waits next gets one of its own.
        stream.withLockedValue { $0 = Self.make() }
        throw CancellationError()
    }
}

/// A clock on which every pause lasts until a test ends it.
final class PausedClock: Clock {
    struct Instant: InstantProtocol {
        var offset = Duration.zero

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    /// How long each pause was to be, in order.
    let pauses: AsyncStream<Duration>
    private let begun: AsyncStream<Duration>.Continuation
    private let time = NIOLockedValueBox(Instant())
    private let trigger = Trigger()

    init() { (pauses, begun) = AsyncStream.makeStream() }

    var now: Instant { time.withLockedValue { $0 } }
    var minimumResolution: Duration { .nanoseconds(1) }

    /// Ends the pause that there is, or the next one.
    func goOn() { trigger.pull() }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        begun.yield(now.duration(to: deadline))
        try await trigger.wait()
        time.withLockedValue { $0 = deadline }
    }
}
