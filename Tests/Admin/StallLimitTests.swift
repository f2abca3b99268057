import NIOConcurrencyHelpers
import Testing

@testable import Admin

@Suite("What makes no step for too long is ended", .timeLimit(.minutes(1)))
struct StallLimitTests {
    /// Work that ends only by being cancelled.
    private static func endless() async throws {
        let (never, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in never {}
        withExtendedLifetime(continuation) {}
        throw CancellationError()
    }

    @Test("nothing is taken: it is ended, and the work cancelled")
    func stalled() async {
        let clock = TurnClock { _ in }
        await #expect(throws: StallLimit<TurnClock>.Stalled.self) {
            try await StallLimit(patience: .seconds(60), clock: clock).run { _ in try await Self.endless() }
        }
        #expect(clock.turns == 1)
    }

    @Test("each step gives it the whole time again")
    func steps() async {
        let (told, tell) = AsyncStream.makeStream(of: (@Sendable () -> Void).self)
        let known = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)
        let clock = TurnClock { turn in
            if turn == 1 { for await stepped in told.prefix(1) { known.withLockedValue { $0 = stepped } } }
            if turn <= 3 { known.withLockedValue { $0 }?() }
        }
        await #expect(throws: StallLimit<TurnClock>.Stalled.self) {
            try await StallLimit(patience: .seconds(60), clock: clock).run { stepped in
                tell.yield(stepped)
                try await Self.endless()
            }
        }
        #expect(clock.turns == 4)
    }

    @Test("what ends by itself is not waited for any longer")
    func ends() async throws {
        let clock = TurnClock { _ in try? await Self.endless() }
        try await StallLimit(patience: .seconds(60), clock: clock).run { stepped in stepped() }
        struct Broken: Error {}
        await #expect(throws: Broken.self) {
            try await StallLimit(patience: .seconds(60), clock: clock).run { _ in throw Broken() }
        }
    }
}

/// A clock on which time passes as soon as what is done at each turn is done.
private final class TurnClock: Clock {
    struct Instant: InstantProtocol {
        var offset = Swift.Duration.zero
        func advanced(by duration: Swift.Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Swift.Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let count = NIOLockedValueBox(0)
    private let onTurn: @Sendable (_ turn: Int) async -> Void

    init(_ onTurn: @escaping @Sendable (_ turn: Int) async -> Void) { self.onTurn = onTurn }

    /// How often somebody slept.
    var turns: Int { count.withLockedValue { $0 } }
    var now: Instant { Instant() }
    var minimumResolution: Swift.Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Swift.Duration?) async throws {
        let turn = count.withLockedValue { count in
            count += 1
            return count
        }
        await onTurn(turn)
        try Task.checkCancellation()
    }
}
