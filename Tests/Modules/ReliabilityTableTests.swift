import Foundation
import Testing

/// Holds the tables of `docs/reliability.md` against the tests that they name.
@Suite("Every fault in docs/reliability.md names tests that exist")
struct ReliabilityTableTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Row: Sendable, CustomTestStringConvertible {
        var fault: String
        var promise: String
        var tests: [Reference]

        var testDescription: String { fault }
    }

    /// `` `ServerTests`: It listens on IPv6 too ``: a file of tests, a check of `make verify` (`` `verify 4.2` ``) or `` `soak` ``.
    struct Reference: Sendable {
        var place: String
        var title: String

        init?(_ text: String) {
            let parts = text.split(separator: "`", maxSplits: 1, omittingEmptySubsequences: true)
            guard text.hasPrefix("`"), parts.count == 2, parts[1].hasPrefix(": ") else { return nil }
            (place, title) = (String(parts[0]), String(parts[1].dropFirst(2)))
        }
    }

    static let rows: [Row] = {
        let text = (try? String(contentsOf: root.appending(path: "docs/reliability.md"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| fault |") }.map { line in
            let cells = line.dropFirst(2).dropLast(2).components(separatedBy: " | ")
            let tests = cells.last?.components(separatedBy: " · ").compactMap(Reference.init) ?? []
            let isWhole = cells.count == 3 && tests.count == cells[2].components(separatedBy: " · ").count
            return Row(fault: cells[0], promise: cells.count > 1 ? cells[1] : "", tests: isWhole ? tests : [])
        }
    }()

    /// The text of each file under `Tests/` by its name without the extension, and of all checks together.
    private static let sources: [String: String] = {
        var sources: [String: String] = [:]
        let folder = root.appending(path: "Tests")
        for case let path as String in FileManager.default.enumerator(atPath: folder.path) ?? .init() {
            guard path.hasSuffix(".swift") || path.hasSuffix(".py"), !path.contains(".build/") else { continue }
            let file = folder.appending(path: path)
            let place = path.hasPrefix("Verify/checks/") ? "verify" : file.deletingPathExtension().lastPathComponent
            sources[place, default: ""] += (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        }
        return sources
    }()

    @Test("there are rows")
    func isRead() {
        #expect(Self.rows.count > 25)
    }

    @Test("each row says what is promised, and names tests that exist", arguments: rows)
    func testsExist(row: Row) {
        #expect(!row.promise.isEmpty && !row.tests.isEmpty, "three cells, the last `File`: title · `File`: title")
        for test in row.tests {
            #expect(Self.exists(test), "\(test.place): \(test.title)")
        }
    }

    @Test("a test that does not exist is noticed")
    func missing() throws {
        #expect(!Self.exists(try #require(Reference("`ReliabilityTableTests`: this is " + "nobody's title"))))
        #expect(!Self.exists(try #require(Reference("`NobodysTests`: a test that does not exist is noticed"))))
        #expect(Self.exists(try #require(Reference("`ReliabilityTableTests`: a test that does not exist is noticed"))))
        #expect(Self.exists(try #require(Reference("`ReliabilityTableTests`: missing"))))
    }

    private static func exists(_ test: Reference) -> Bool {
        if test.place.hasPrefix("verify ") {
            let line = test.place.dropFirst("verify ".count)
            return sources["verify"]?.contains("@check(\"\(line)\", \"\(test.title)\"") == true
        }
        guard let source = sources[test.place] else { return false }
        return source.contains("\"\(test.title)\"") || source.contains("func \(test.title)(")
            || source.contains("def \(test.title)(")
    }
}
