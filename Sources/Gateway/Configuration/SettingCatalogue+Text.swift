extension SettingCatalogue {
    /// All flags with their defaults and meaning, for `--help`.
    static var help: String {
        var lines = [
            "Every key is a flag, an environment variable (in brackets) and a key of the YAML file of --config, in this order of precedence. "
                + "Durations are seconds, fractions allowed, or carry a unit (500ms, 30s, 5m, 24h, 7d); sizes are bytes or carry a unit "
                + "(64KiB, 100MiB, 1GiB). Secrets come from the environment or from files only.",
            "",
            "  --config FILE",
            "      The YAML file: the keys below in lower case, and the list routes.",
        ]
        for group in SettingDefinition.Group.allCases {
            lines += ["", "\(group.rawValue):"]
            for definition in all where definition.group == group {
                let head = definition.flag.map { "\($0) \(definition.placeholder) " } ?? ""
                let standard = definition.defaultText.isEmpty ? "" : " (default: \(definition.defaultText))"
                lines += ["  \(head)[\(definition.environmentName)]", wrapped(plain(definition.summary) + standard)]
            }
        }
        return lines.joined(separator: "\n")
    }

    /// The tables of `docs/configuration.md`, by group: what a test holds the document against.
    static func markdownRows(of group: SettingDefinition.Group) -> [String] {
        ["| key | default | accepted | what it does |", "|---|---|---|---|"]
            + all.filter { $0.group == group }.map { definition in
                let standard = definition.defaultText.isEmpty ? "–" : "`\(definition.defaultText)`"
                var notes = definition.summary
                if definition.isReloadable { notes += " *Re-read.*" }
                if definition.isSecret { notes += " *Secret: no flag.*" }
                let accepted = definition.accepted.replacing("|", with: "\\|")
                return "| `\(definition.key)` | \(standard) | \(accepted) | \(notes) |"
            }
    }

    /// In lines of at most 78 characters, indented.
    private static func wrapped(_ text: String) -> String {
        let indent = "      "
        var lines = [indent]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + 1 + word.count > 78 { lines.append(indent) }
            if lines[lines.count - 1] != indent { lines[lines.count - 1] += " " }
            lines[lines.count - 1] += word
        }
        return lines.joined(separator: "\n")
    }

    private static func plain(_ text: String) -> String { text.filter { $0 != "`" } }
}
