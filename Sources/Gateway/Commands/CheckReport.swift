import Core
import Ingress

/// What `check` prints: every key with its value and its origin, the routes, what was found. Secrets are masked.
struct CheckReport {
    var loaded: LoadedConfiguration
    var routes: RouteSource.Result
    var findings: [EnvironmentFinding]

    var hasProblems: Bool { findings.contains { $0.kind == .problem } }

    var text: String {
        var lines = ["neutrino-gateway \(ProgramVersion.current)"]
        for group in SettingDefinition.Group.allCases {
            lines += ["", group.rawValue]
            lines += table(
                SettingCatalogue.all.filter { $0.group == group }.map { definition in
                    [
                        definition.key, Self.value(of: definition, in: loaded.settings),
                        "\(loaded.origin(definition.key))",
                    ]
                }
            )
        }
        lines += ["", "Routes"]
        lines += table(
            routes.table.routes.map { route in
                [
                    route.id, "\(route.needs) (\(route.needsSource.rawValue))",
                    "hold \(Self.setting(route.holdTimeout, DurationText.format))",
                    "request \(Self.setting(route.requestTimeout, DurationText.format))",
                    "retry \(Self.setting(route.retry, \.rawValue))",
                ]
            }
        )
        for (kind, heading) in [
            (EnvironmentFinding.Kind.good, "Checked"), (.warning, "Warnings"), (.problem, "Problems"),
        ] {
            let found = (kind == .warning ? routes.warnings : []) + findings.filter { $0.kind == kind }.map(\.message)
            if !found.isEmpty { lines += ["", heading] + found.map { "  \($0)" } }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func value(of definition: SettingDefinition, in settings: GatewaySettings) -> String {
        let text = definition.show(settings)
        guard definition.isSecret else { return text.isEmpty ? "-" : text }
        return text == definition.defaultText ? "none" : "(secret)"
    }

    private static func setting<Value>(_ setting: Setting<Value>, _ text: (Value) -> String) -> String {
        "\(text(setting.value)) (\(setting.source.rawValue))"
    }

    /// Rows in columns of equal width but for the last.
    private func table(_ rows: [[String]]) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return "  " + cells.joined(separator: "  ")
        }
    }
}
