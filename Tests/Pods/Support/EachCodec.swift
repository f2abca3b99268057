import HTTP
import Testing

/// Runs each test of a suite with every codec: ``Upstream`` takes the one in ``current``.
struct EachCodec: SuiteTrait, TestTrait, TestScoping {
    @TaskLocal static var current = MessageCodec.nio

    let isRecursive = true

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        for codec in MessageCodec.allCases {
            try await Self.$current.withValue(codec) { try await function() }
        }
    }
}

extension Trait where Self == EachCodec {
    static var eachCodec: Self { EachCodec() }
}
