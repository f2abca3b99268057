import Core
import Ingress

/// What `check` prints: every key with its value and its origin, the routes, what was found. Secrets are masked.
struct CheckReport {
    var loaded: LoadedConfiguration
    /// The routes, or why there are none.
    var routes: Result<RouteSource.Routes, GatewayError>
    /// What was found in the process's surroundings.
    var findings: [EnvironmentFinding]

    var hasProblems: Bool { allFindings.contains { $0.kind == .problem } }

    /// Those of the routes first.
    private var allFindings: [EnvironmentFinding] {
        switch routes {
        case .success(let routes):
            let document = routes.document.map { EnvironmentFinding(kind: .good, message: "openapi_spec_path: \($0)") }
            let warnings = routes.warnings.map { EnvironmentFinding(kind: .warning, message: $0) }
            return [document].compactMap { $0 } + warnings + findings
        case .failure(let error):
            return [EnvironmentFinding(kind: .problem, message: error.message)] + findings
        }
    }

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
        if case .success(let routes) = routes {
            lines += ["", "Routes"] + table(routes.table.routes.map(Self.row))
        }
        let headings: [(EnvironmentFinding.Kind, String)] = [
            (.good, "Checked"), (.warning, "Warnings"), (.problem, "Problems"),
        ]
        for (kind, heading) in headings {
            let found = allFindings.filter { $0.kind == kind }
            if !found.isEmpty { lines += ["", heading] + found.map { "  \($0.message)" } }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(of route: Route) -> [String] {
        [
            route.id,
            "\(route.needs) (\(route.needsSource.rawValue))",
            "hold \(setting(route.holdTimeout, DurationText.format))",
            "request \(setting(route.requestTimeout, DurationText.format))",
            "retry \(setting(route.retry, \.rawValue))",
            "at once \(setting(route.maxConcurrency) { $0.map(String.init) ?? "any" })",
            "waiting \(setting(route.maxQueueDepth) { $0.map(String.init) ?? "any" })",
        ]
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
