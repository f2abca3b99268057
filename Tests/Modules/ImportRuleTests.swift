import Foundation
import Testing

/// Holds the imports of `Sources/` against the table in `docs/modules.md`.
@Suite("Targets import what docs/modules.md allows")
struct ImportRuleTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// What every target may import.
    private static let always: Set<String> = [
        "Foundation", "FoundationEssentials", "Dispatch", "Glibc", "Musl", "Synchronization",
    ]

    /// The table: target to the modules that it may import.
    static let rules: [String: Set<String>] = {
        var rules: [String: Set<String>] = [:]
        let text = (try? String(contentsOf: root.appending(path: "docs/modules.md"), encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4 else { continue }
            let names = cells[0].split(separator: ",").map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: "` "))
            }
            let allowed = (cells[2] + "," + cells[3]).split(separator: ",")
                .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "` ")) }
                .filter { $0 != "–" }
            for name in names { rules[name] = Set(allowed) }
        }
        return rules
    }()

    @Test("every folder under Sources has its line, and every line its folder")
    func tableMatchesFolders() throws {
        let sources = Self.root.appending(path: "Sources")
        let folders = try FileManager.default.contentsOfDirectory(atPath: sources.path).filter { !$0.hasPrefix(".") }
        #expect(Set(folders) == Set(Self.rules.keys))
    }

    @Test("each import is one that the table allows", arguments: rules.keys.sorted())
    func importsAreAllowed(target: String) throws {
        let folder = Self.root.appending(path: "Sources/\(target)")
        let files = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap { $0 as? String }
        let allowed = try #require(Self.rules[target]).union(Self.always)
        for file in files where file.hasSuffix(".swift") {
            let source = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            for module in Self.imports(of: source) {
                #expect(allowed.contains(module), "\(target)/\(file) imports \(module)")
            }
        }
    }

    @Test("imports are read in every form that they are written in")
    func readsImports() {
        let source = """
            import A
            package import B
            @preconcurrency import C
            import struct D.Thing
            @_exported public import E
              import F // why
            // import G
            let important = 1
            """
        #expect(Self.imports(of: source) == ["A", "B", "C", "D", "E", "F"])
    }

    /// The modules that a source file imports, in order.
    static func imports(of source: String) -> [String] {
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var", "actor"]
        let modifiers: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
        return source.split(separator: "\n").compactMap { line in
            var words = line.split(whereSeparator: \.isWhitespace).map(String.init)[...]
            while let word = words.first, word.hasPrefix("@") || modifiers.contains(word) { words = words.dropFirst() }
            guard words.first == "import" else { return nil }
            words = words.dropFirst()
            if let word = words.first, kinds.contains(word) { words = words.dropFirst() }
            return words.first.map { String($0.prefix(while: { $0 != "." && $0 != ";" })) }
        }
    }
}
