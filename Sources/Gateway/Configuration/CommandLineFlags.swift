/// The configuration's flags on a command line: `--gateway-port 9000` or `--gateway-port=9000`, and `--config FILE`.
struct CommandLineFlags: Sendable {
    /// By key.
    private(set) var values: [String: String] = [:]
    /// The YAML file.
    private(set) var configPath: String?
    private(set) var problems: [ConfigurationProblem] = []

    /// Reads arguments without the program and its command. Everything that is not a known flag with one value is a problem.
    init(_ arguments: [String]) {
        let definitions = Dictionary(
            uniqueKeysWithValues: SettingCatalogue.all.compactMap { definition in
                definition.flag.map { ($0, definition) }
            }
        )
        let known = definitions.keys.sorted() + ["--config"]
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument.count > 2 else {
                problems.append(ConfigurationProblem("unexpected argument \(quoted(argument))"))
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            let definition = definitions[name]
            guard definition != nil || name == "--config" else {
                problems.append(ConfigurationProblem(Self.unknown(name, among: known)))
                // Its value, most likely.
                if parts.count == 1, let next = rest.first, !next.hasPrefix("-") { rest.removeFirst() }
                continue
            }
            var value = parts.count == 2 ? String(parts[1]) : nil
            if value == nil, let next = rest.first, !next.hasPrefix("--") { value = rest.popFirst() }
            guard let value else {
                problems.append(
                    ConfigurationProblem("\(name) needs a value", accepted: definition?.accepted ?? "a path")
                )
                continue
            }
            let isRepeated: Bool
            if let definition {
                isRepeated = values.updateValue(value, forKey: definition.key) != nil
            } else {
                isRepeated = configPath != nil
                configPath = value
            }
            if isRepeated { problems.append(ConfigurationProblem("\(name) is given twice")) }
        }
    }

    private static func unknown(_ name: String, among known: [String]) -> String {
        let key = name.dropFirst(2).lowercased().map { $0 == "-" ? "_" : String($0) }.joined()
        if let secret = SettingCatalogue[key], secret.isSecret {
            return
                "\(quoted(name)): no flag takes a secret; use the environment variable \(secret.environmentName), or a file"
        }
        return "unknown flag \(quoted(name))\(NearestName.hint(name, among: known))"
    }

    /// As `CommandLineArgumentsProvider` reads them: one argument for each flag.
    var normalized: [String] {
        values.sorted { $0.key < $1.key }.map { "\(SettingCatalogue[$0.key]?.flag ?? "")=\($0.value)" }
    }
}
