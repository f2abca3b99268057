import Core
import Ingress
import Yams

/// Reads one entry of `routes:`; its problems name the index and the field.
struct RouteRuleReader {
    let index: Int
    /// The file's, for the problems.
    let path: String
    private(set) var problems: [ConfigurationProblem] = []

    init(index: Int, path: String) {
        self.index = index
        self.path = path
    }

    static let fields = [
        "method", "path", "needs", "hold_timeout", "request_timeout", "retry", "max_concurrency", "max_queue_depth",
    ]
    static let needs = ["num_cpus", "num_gpus", "memory_gb"]

    /// nil where there was a problem.
    mutating func read(_ node: Node) -> RouteRule? {
        guard case .mapping(let mapping) = node else {
            problem("", "a mapping is expected", at: node, accepted: Self.fields.joined(separator: ", "))
            return nil
        }
        var rule = RouteRule(path: "")
        for (key, value) in mapping {
            switch key.string {
            case "method": rule.method = method(value)
            case "path": rule.path = template(value) ?? ""
            case "needs": readNeeds(value, into: &rule)
            case "hold_timeout": rule.holdTimeout = duration(value, "hold_timeout", .zero)
            case "request_timeout": rule.requestTimeout = duration(value, "request_timeout", .milliseconds(100))
            case "retry": rule.retry = retry(value)
            case "max_concurrency":
                rule.maxConcurrency = parsed(value, "max_concurrency", .integer(in: Route.concurrencyBounds))
            case "max_queue_depth":
                rule.maxQueueDepth = parsed(value, "max_queue_depth", .integer(in: Route.depthBounds))
            case let name: unknown(name, among: Self.fields, prefix: "", at: key)
            }
        }
        if mapping["path"] == nil {
            problem("path", "it is missing", at: node, accepted: "a path such as /v1/infer/{model}")
        }
        return problems.isEmpty ? rule : nil
    }

    private mutating func readNeeds(_ node: Node, into rule: inout RouteRule) {
        guard case .mapping(let mapping) = node else {
            problem("needs", "a mapping is expected", at: node, accepted: Self.needs.joined(separator: ", "))
            return
        }
        for (key, value) in mapping {
            switch key.string {
            case "num_cpus": rule.cpus = amount(value, "needs.num_cpus")
            case "num_gpus": rule.gpus = amount(value, "needs.num_gpus")
            case "memory_gb": rule.memoryGB = amount(value, "needs.memory_gb")
            case let name: unknown(name, among: Self.needs, prefix: "needs.", at: key)
            }
        }
    }

    private mutating func method(_ node: Node) -> String? {
        let accepted = "an HTTP method such as GET or POST, or `*` for every method"
        guard let text = scalar(node, "method", accepted) else { return nil }
        if text == "*" { return nil }
        guard let method = RequestMethod(rawValue: text.uppercased()) else {
            problem("method", "\(quoted(text)) is not accepted", at: node, accepted: accepted)
            return nil
        }
        return method.rawValue
    }

    private mutating func template(_ node: Node) -> String? {
        let accepted = "a path such as /v1/infer/{model}, without a query"
        guard let text = scalar(node, "path", accepted) else { return nil }
        let isVisible = text.utf8.allSatisfy {
            (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#")
        }
        guard text.hasPrefix("/"), text.utf8.count <= 4096, isVisible else {
            problem("path", "\(quoted(text)) is not accepted", at: node, accepted: accepted)
            return nil
        }
        return text
    }

    private mutating func retry(_ node: Node) -> RetryRule? {
        parsed(node, "retry", .word)
    }

    private mutating func duration(_ node: Node, _ field: String, _ least: Duration) -> Duration? {
        parsed(node, field, .duration(in: least...Duration.seconds(86_400)))
    }

    private mutating func amount(_ node: Node, _ field: String) -> Double? {
        let accepted = "a number from 0 to 1000000, fractions allowed"
        guard let text = scalar(node, field, accepted) else { return nil }
        guard let value = SettingType<ResourceVector>.decimal(text), value <= ResourceVector.maximumUnits else {
            problem(field, "\(quoted(text)) is not accepted", at: node, accepted: accepted)
            return nil
        }
        return value
    }

    private mutating func parsed<Value>(_ node: Node, _ field: String, _ type: SettingType<Value>) -> Value? {
        guard let text = scalar(node, field, type.accepted) else { return nil }
        do throws(SettingRejection) {
            return try type.parse(text)
        } catch {
            problem(field, "\(quoted(text)) is not accepted", at: node, accepted: type.accepted)
            return nil
        }
    }

    private mutating func scalar(_ node: Node, _ field: String, _ accepted: String) -> String? {
        guard let scalar = node.scalar, !node.isNull else {
            problem(field, "a value is expected", at: node, accepted: accepted)
            return nil
        }
        return scalar.string
    }

    private mutating func unknown(_ name: String?, among known: [String], prefix: String, at node: Node) {
        guard let name else { return problem("", "a field that is not text", at: node) }
        problem(prefix + name, "unknown field\(NearestName.hint(name, among: known))", at: node)
    }

    private mutating func problem(_ field: String, _ message: String, at node: Node, accepted: String? = nil) {
        problems.append(
            ConfigurationProblem(
                "routes[\(index)]\(field.isEmpty ? "" : ".\(field)"): \(message)",
                origin: .file(path, line: node.line),
                accepted: accepted
            )
        )
    }
}
