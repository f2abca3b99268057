import Testing

@testable import Gateway

@Suite("The documentation of the configuration")
struct ConfigurationDocumentTests {
    private func document() throws -> [Substring] {
        try TextFile.read(packagePath("docs/configuration.md")).split(separator: "\n", omittingEmptySubsequences: false)
    }

    @Test(
        "docs/configuration.md has the table of each group, line for line",
        arguments: SettingDefinition.Group.allCases
    )
    func tables(_ group: SettingDefinition.Group) throws {
        let lines = try document()
        let heading = try #require(lines.firstIndex(of: "## \(group.rawValue)"), "no heading for \(group.rawValue)")
        let section = lines[lines.index(after: heading)...].prefix { !$0.hasPrefix("## ") }
        let rest = section.drop { !$0.hasPrefix("|") }
        let table = rest.prefix { $0.hasPrefix("|") }.map(String.init)
        let expected = SettingCatalogue.markdownRows(of: group)
        #expect(table == expected, "the table should be:\n\(expected.joined(separator: "\n"))")
    }

    @Test("It names no key that the program does not read")
    func nothingElse() throws {
        let known = Set(SettingCatalogue.all.flatMap { [$0.key, $0.environmentName] })
        let fields = Set(RouteRuleReader.fields + RouteRuleReader.needs + ["routes"])
        for line in try document() where line.hasPrefix("| `") {
            let key = line.dropFirst(3).prefix { $0 != "`" }
            #expect(known.contains(String(key)) || fields.contains(String(key)), "\(key) is documented, but not read")
        }
    }

    @Test("The help names every key, its flag and its default")
    func help() {
        for definition in SettingCatalogue.all {
            #expect(SettingCatalogue.help.contains("[\(definition.environmentName)]"))
            if let flag = definition.flag { #expect(SettingCatalogue.help.contains("\(flag) ")) }
        }
    }

    @Test("No two keys share a flag or an environment variable, and every summary is a sentence")
    func catalogue() {
        let all = SettingCatalogue.all
        #expect(Set(all.map(\.environmentName)).count == all.count)
        for definition in all {
            #expect(definition.summary.hasSuffix("."))
            #expect(definition.key.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" })
        }
        #expect(all.filter(\.isSecret).map(\.key) == ["admin_token", "admin_read_token", "otel_exporter_otlp_headers"])
    }
}

/// A path in the package, from this file's.
func packagePath(_ path: String, file: String = #filePath) -> String {
    file.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/" + path
}
