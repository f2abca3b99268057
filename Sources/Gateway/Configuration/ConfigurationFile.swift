import Ingress
import OpenAPI
import Yams

/// The YAML file of `--config`: one flat mapping of keys, and the list `routes:`.
struct ConfigurationFile: Sendable {
    /// The text of a value and the line it is on.
    struct Entry: Sendable, Hashable {
        var text: String
        var line: Int?
    }

    let path: String
    private(set) var values: [String: Entry] = [:]
    private(set) var routes: [RouteRule] = []
    private(set) var problems: [ConfigurationProblem] = []

    /// Reads a file's text. Everything that it does not know is a problem, all of them at once; what is not YAML is one.
    init(path: String, text: String) {
        self.path = path
        if let place = YAMLKeys.firstThatIsNoText(in: text) {
            problems = [ConfigurationProblem("a key that is not text", origin: .file(path, line: place.line))]
            return
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            problems = [ConfigurationProblem("not YAML: \(error)", origin: .file(path, line: nil))]
            return
        }
        guard let root, !root.isNull else { return }
        guard case .mapping(let mapping) = root else {
            problems = [
                ConfigurationProblem(
                    "the file is not a mapping of keys to values",
                    origin: .file(path, line: root.line)
                )
            ]
            return
        }
        for (key, value) in mapping {
            guard let name = key.string else {
                problem("a key that is not text", at: key)
                continue
            }
            if name == "routes" {
                readRoutes(value)
            } else if let definition = SettingCatalogue[name] {
                readValue(value, of: definition)
            } else {
                let known = SettingCatalogue.all.map(\.key) + ["routes"]
                problem("unknown key \(quoted(name))\(NearestName.hint(name, among: known))", at: key)
            }
        }
    }

    /// A scalar, a list of scalars, or for resources a mapping; `null` is as if the key were not there.
    private mutating func readValue(_ node: Node, of definition: SettingDefinition) {
        let text: String
        switch node {
        case .scalar(let scalar):
            if node.isNull { return }
            text = scalar.string
        case .sequence(let items) where items.allSatisfy { $0.scalar != nil && !$0.isNull }:
            text = items.compactMap { $0.scalar?.string }.joined(separator: ",")
        case .mapping(let items) where definition.key == "default_resources":
            text = items.map { "\($0.key.string ?? "")=\($0.value.scalar?.string ?? "")" }.joined(separator: ", ")
        default:
            problem(
                "\(definition.key): a value is expected here, or a list of values",
                at: node,
                accepted: definition.accepted
            )
            return
        }
        values[definition.key] = Entry(text: text, line: node.line)
    }

    private mutating func readRoutes(_ node: Node) {
        if node.isNull { return }
        guard case .sequence(let items) = node else {
            problem("routes: a list is expected", at: node, accepted: "- {method: POST, path: /v1/train, …}")
            return
        }
        var seen: Set<String> = []
        for (index, item) in items.enumerated() {
            var reader = RouteRuleReader(index: index, path: path)
            if let rule = reader.read(item) {
                let name = "\(rule.method ?? "*") \(rule.path)"
                if seen.insert(name).inserted {
                    routes.append(rule)
                } else {
                    problem("routes[\(index)]: \(name) is there twice", at: item)
                }
            }
            problems += reader.problems
        }
    }

    private mutating func problem(_ message: String, at node: Node, accepted: String? = nil) {
        problems.append(ConfigurationProblem(message, origin: .file(path, line: node.line), accepted: accepted))
    }
}

extension Node {
    var line: Int? { mark?.line }

    /// `null`, `~`, or nothing, unless in quotes.
    var isNull: Bool {
        guard case .scalar(let scalar) = self else { return false }
        return tag.description == Tag.Name.null.rawValue && scalar.style != .singleQuoted
            && scalar.style != .doubleQuoted
    }
}
