import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("A write-ahead log that is torn")
struct TornLogTests {
    @Test("cut anywhere, or with rubbish at its end: what was committed before is there, whole, and the queue goes on")
    func torn() async throws {
        let test = try TestQueue()
        for number in 0..<40 {
            try await test.insert(test.request("/\(number)", body: .memory(ByteBuffer(repeating: 0x61, count: 3000))))
        }
        let copy = try await test.whileWriterIsBusy { try test.folder.snapshot() }
        await test.close()
        let log = try #require(FileManager.default.contents(atPath: copy.database + "-wal"))
        var counts: Set<Int> = []
        for round in 0..<24 {
            let torn = try copy.snapshot()
            var bytes = log.prefix(log.count * round / 24 + round * 7 % 4096)
            // What a disk may leave of a write that did not end.
            if round.isMultiple(of: 2) { bytes.append(Data(repeating: 0xA5, count: 5000)) }
            try bytes.write(to: URL(filePath: torn.database + "-wal"))
            let again = try TestQueue(in: torn)
            let targets = try again.rows("SELECT target FROM requests ORDER BY id").compactMap { $0[0] }
            #expect(targets == (0..<targets.count).map { "/\($0)" }, "a prefix of what was committed")
            #expect(try again.rows("PRAGMA integrity_check") == [["ok"]])
            counts.insert(targets.count)
            try await again.insert("/after", pod: .at(1))
            await again.close()
        }
        #expect(counts.count > 10, "the cuts were in many places")
    }
}
