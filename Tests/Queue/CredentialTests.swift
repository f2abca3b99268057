import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("Credentials are never written")
struct CredentialTests {
    private static let secret = "s3cr3t-8c1f"

    private func request(_ test: TestQueue) -> QueuedRequest {
        test.request(
            "/v1/chat?model=a&api_key=\(Self.secret)&b=1",
            fields: [
                ("Host", "test"), ("Authorization", "Bearer \(Self.secret)"), ("cookie", "a=\(Self.secret)"),
                ("X-API-KEY", Self.secret), ("Content-Type", "application/json"), ("X-Our-Token", Self.secret),
            ]
        )
    }

    private func outcome(_ id: RequestID) -> Outcome {
        var outcome = Outcome.of(id)
        outcome.answerHead = ResponseHead(
            status: 200,
            reason: "OK",
            fields: HeaderFields([("Content-Type", "text/plain"), ("Set-Cookie", "session=\(Self.secret)")])
        )
        outcome.answerBody = ByteBuffer(string: "fine")
        return outcome
    }

    @Test("no byte of a file holds one, and the row says which there were")
    func withheld() async throws {
        let test = try TestQueue {
            $0.redactedFields = ["x-our-token"]
            $0.redactedQuery = ["api_key"]
        }
        let id = try await test.insert(request(test))
        test.journal.end(outcome(id))
        try await test.queue.flush()
        #expect(try test.folder.contents().range(of: Data(Self.secret.utf8)) == nil)
        let entry = try #require(try await test.queue.log.detail(id))
        #expect(entry.withheld == ["?api_key", "Authorization", "cookie", "X-API-KEY", "X-Our-Token"])
        #expect(entry.fields.map(\.name) == ["Host", "Content-Type"])
        #expect(entry.fields.map(\.value) == ["test", "application/json"])
        #expect(entry.summary.target == "/v1/chat?model=a&api_key=***&b=1")
        let answer = try #require(entry.answer)
        #expect(answer.withheld == ["Set-Cookie"])
        #expect(answer.fields.map(\.name) == ["Content-Type"])
        #expect(answer.body.map { String(buffer: $0) } == "fine")
        await test.close()
        #expect(try test.folder.contents().range(of: Data(Self.secret.utf8)) == nil)
    }

    @Test("they are kept where that is configured, for replays")
    func kept() async throws {
        let test = try TestQueue { $0.keepCredentials = true }
        let id = try await test.insert(request(test))
        let source = try #require(try await test.queue.log.replaySource(id))
        #expect(source.withheld == [])
        #expect(source.fields.first("Authorization") == "Bearer \(Self.secret)")
        #expect(String(buffer: source.target) == "/v1/chat?model=a&api_key=\(Self.secret)&b=1")
        await test.close()
    }
}
