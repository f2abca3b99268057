import Core

/// Makes an ``OpenAPIDocument`` of a tree.
struct DocumentReader {
    let file: String
    let root: DocumentNode
    private var warnings: [String] = []

    /// `$ref` to a `$ref` to a …
    private static let maximumReferences = 16
    private static let methods: [(key: String, method: RequestMethod)] = [
        ("get", .get), ("put", .put), ("post", .post), ("delete", .delete), ("options", .options), ("head", .head),
        ("patch", .patch), ("trace", .trace),
    ]

    init(file: String, root: DocumentNode) {
        self.file = file
        self.root = root
    }

    mutating func read() throws(OpenAPIError) -> OpenAPIDocument {
        let top = Place(node: root)
        guard case .mapping = root.value else {
            throw problem(
                top,
                .version,
                "\(root.summary) is no OpenAPI document; a mapping with \"openapi\" and \"paths\" is"
            )
        }
        let version = try readVersion(top)
        let defaults = try readSettings(top)
        let servers = try readServers(top) ?? []
        var operations: [APIOperation] = []
        if let paths = top["paths"] {
            for (path, item) in try pairs(paths, "paths by their templates") where !path.hasPrefix("x-") {
                operations += try readItem(path, item, defaults: defaults, servers: servers)
            }
        } else if version.hasPrefix("3.0") {
            throw problem(top, .value, "it has no \"paths\"")
        }
        try refuseConflicts(operations)
        return OpenAPIDocument(
            file: file,
            version: version,
            operations: operations,
            defaults: defaults,
            warnings: warnings
        )
    }

    private func readVersion(_ top: Place) throws(OpenAPIError) -> String {
        guard let place = top["openapi"] else {
            let other = top["swagger"].map { " (it says swagger: \($0.node.summary))" } ?? ""
            throw problem(top, .version, "it has no \"openapi\"\(other); OpenAPI 3.0 and 3.1 are read")
        }
        let version = place.node.text ?? ""
        let parts = version.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "3", parts[1] == "0" || parts[1] == "1" else {
            throw problem(place, .version, "\(place.node.summary) is not read; OpenAPI 3.0 and 3.1 are")
        }
        return version
    }

    // MARK: Paths

    private mutating func readItem(
        _ path: String,
        _ written: Place,
        defaults: OperationSettings,
        servers: [String]
    ) throws(OpenAPIError) -> [APIOperation] {
        let template: PathTemplate
        do throws(PathTemplateError) {
            template = try PathTemplate(path)
        } catch {
            throw problem(written, .value, "\"\(path)\" is not accepted: \(error)")
        }
        // What stands beside a `$ref` goes before what it leads to.
        let items = try followed(written)
        func member(_ key: String) -> Place? {
            for item in items {
                if let place = item[key] { return place }
            }
            return nil
        }
        var itemSettings = defaults
        var itemServers = servers
        for item in items.reversed() {
            _ = try pairs(item, "operations by their methods")
            itemSettings = try readSettings(item).filled(from: itemSettings)
            itemServers = try readServers(item) ?? itemServers
        }
        var operations: [APIOperation] = []
        for (key, method) in Self.methods {
            guard let operation = member(key) else { continue }
            _ = try pairs(operation, "an operation")
            operations.append(
                APIOperation(
                    method: method,
                    path: template,
                    pathsBehindServers: try paths(template, behind: readServers(operation) ?? itemServers, operation),
                    operationID: try readOperationID(operation),
                    settings: try readSettings(operation).filled(from: itemSettings),
                    line: operation.node.line
                )
            )
        }
        return operations.sorted { $0.line < $1.line }
    }

    private func readOperationID(_ operation: Place) throws(OpenAPIError) -> String? {
        guard let place = operation["operationId"], !place.node.isNull else { return nil }
        guard let id = place.node.text else {
            throw problem(place, .value, "\(place.node.summary) is not accepted; a text is")
        }
        return id
    }

    private func paths(
        _ template: PathTemplate,
        behind servers: [String],
        _ operation: Place
    ) throws(OpenAPIError) -> [PathTemplate] {
        var paths: [PathTemplate] = []
        for base in servers {
            do throws(PathTemplateError) {
                let path = try template.prefixed(by: base)
                if !paths.contains(path) { paths.append(path) }
            } catch {
                throw problem(operation, .value, "behind the server path \"\(base)\": \(error)")
            }
        }
        return paths
    }

    /// Refuses what no request can tell apart, by name and with both lines.
    private func refuseConflicts(_ operations: [APIOperation]) throws(OpenAPIError) {
        var matcher = PathMatcher<Int>()
        for operation in operations {
            do throws(PathConflict) {
                try matcher.insert(operation.line, at: operation.path, method: operation.method)
            } catch {
                let other = operations.first { $0.path == error.existing && $0.method == operation.method }
                throw OpenAPIError(
                    .ambiguous,
                    file: file,
                    line: operation.line,
                    pointer: Place.pointer(["paths", operation.path.text]),
                    message: "\(error) (the other is in line \(other?.line ?? 0)); each needs a path of its own"
                )
            }
        }
    }

    // MARK: Servers

    /// The base paths of `servers`, nil where there is no such list. Variables have their default values.
    private func readServers(_ place: Place) throws(OpenAPIError) -> [String]? {
        guard let servers = place["servers"], !servers.node.isNull else { return nil }
        guard case .sequence(let elements) = servers.node.value else {
            throw problem(servers, .value, "\(servers.node.summary) is not accepted; a list of servers is")
        }
        var bases: [String] = []
        for (index, element) in elements.enumerated() {
            let server = Place(node: element, path: servers.path + ["\(index)"])
            guard let url = server["url"], var text = url.node.text else {
                throw problem(server, .value, "it has no \"url\"")
            }
            if let variables = server["variables"] {
                for (name, variable) in try pairs(variables, "variables by their names") {
                    guard let value = variable["default"]?.node.text else {
                        throw problem(variable, .value, "it has no \"default\"")
                    }
                    text = text.split(separator: "{\(name)}", omittingEmptySubsequences: false).joined(separator: value)
                }
            }
            let base = Self.basePath(text)
            if !base.isEmpty, !bases.contains(base) { bases.append(base) }
        }
        return bases
    }

    /// The path of a URL or of a reference without a host, without the `/` at its end: `https://a.example/v1/` → `/v1`.
    static func basePath(_ url: String) -> String {
        var rest = url[...]
        if let scheme = rest.firstRange(of: "://") {
            let authority = rest[scheme.upperBound...]
            guard let slash = authority.firstIndex(of: "/") else { return "" }
            rest = authority[slash...]
        }
        rest = rest.prefix { $0 != "?" && $0 != "#" }
        while rest.last == "/" { rest = rest.dropLast() }
        guard !rest.isEmpty, rest != "." else { return "" }
        // Relative to where the document lies, which is not known here: taken from the root.
        if rest.hasPrefix("./") { rest = rest.dropFirst() }
        return rest.hasPrefix("/") ? String(rest) : "/\(rest)"
    }

    // MARK: References

    /// A place and, where it is a `$ref`, those it leads to, in this order.
    private func followed(_ place: Place) throws(OpenAPIError) -> [Place] {
        var places = [place]
        while let reference = places.last?["$ref"] {
            guard let text = reference.node.text else {
                throw problem(reference, .reference, "\(reference.node.summary) is no reference; a text is")
            }
            guard places.count <= Self.maximumReferences else {
                throw problem(
                    place,
                    .reference,
                    "more than \(Self.maximumReferences) references lead on from here, or they go in a circle"
                )
            }
            guard text.hasPrefix("#/") else {
                throw problem(
                    reference,
                    .reference,
                    "\"\(text)\" is not followed; references within the document (\"#/…\") are"
                )
            }
            guard let target = Place(node: root).following(text) else {
                throw problem(reference, .reference, "\"\(text)\" is not in the document")
            }
            places.append(target)
        }
        return places
    }
}

// MARK: Extensions

extension DocumentReader {
    private static let prefix = "x-neutrino-"
    private static let extensions = [
        "resources", "hold-timeout", "request-timeout", "retry", "max-concurrency", "max-queue-depth",
    ].map { prefix + $0 }
    private static let components = ["num_cpus", "num_gpus", "memory_gb"]

    private mutating func readSettings(_ place: Place) throws(OpenAPIError) -> OperationSettings {
        guard case .mapping(let pairs) = place.node.value else { return OperationSettings() }
        var settings = OperationSettings()
        for (key, node) in pairs where key.hasPrefix(Self.prefix) {
            let value = Place(node: node, path: place.path + [key])
            guard let target = try followed(value).last, !target.node.isNull else { continue }
            switch key {
            case Self.extensions[0]: settings.needs = try readNeeds(target)
            case Self.extensions[1]: settings.holdTimeout = try readSeconds(target, mayBeZero: true)
            case Self.extensions[2]: settings.requestTimeout = try readSeconds(target, mayBeZero: false)
            case Self.extensions[3]:
                guard let rule = target.node.text.flatMap(RetryRule.init(rawValue:)) else {
                    let accepted = RetryRule.allCases.map(\.rawValue).joined(separator: ", ")
                    throw problem(target, .value, "\(target.node.summary) is not accepted; one of \(accepted) is")
                }
                settings.retry = rule
            case Self.extensions[4]: settings.maxConcurrency = try readCount(target, in: Route.concurrencyBounds)
            case Self.extensions[5]: settings.maxQueueDepth = try readCount(target, in: Route.depthBounds)
            default:
                let known = Self.extensions.joined(separator: ", ")
                warnings.append(
                    problem(value, .value, "it is not known and has no effect; known are \(known)").description
                )
            }
        }
        return settings
    }

    private func readNeeds(_ place: Place) throws(OpenAPIError) -> StatedNeeds {
        var needs = StatedNeeds()
        for (key, component) in try pairs(place, "num_cpus, num_gpus and memory_gb") {
            guard Self.components.contains(key) else {
                throw problem(component, .value, "it is not known; \(Self.components.joined(separator: ", ")) are")
            }
            guard !component.node.isNull else { continue }
            guard let units = component.node.number,
                let needed = ResourceVector(needingCPUs: units, gpus: 0, memoryGB: 0)
            else {
                let most = Int(ResourceVector.maximumUnits)
                throw problem(
                    component,
                    .value,
                    "\(component.node.summary) is not accepted; a number from 0 to \(most) is"
                )
            }
            switch key {
            case "num_cpus": needs.cpus = needed.cpus
            case "num_gpus": needs.gpus = needed.cpus
            default: needs.memory = needed.cpus
            }
        }
        return needs
    }

    private func readSeconds(_ place: Place, mayBeZero: Bool) throws(OpenAPIError) -> Duration {
        guard let seconds = place.node.number, seconds <= Route.longestTimeout, mayBeZero ? seconds >= 0 : seconds > 0
        else {
            let range = "\(mayBeZero ? "from 0" : "over 0 and") up to \(Int(Route.longestTimeout))"
            throw problem(place, .value, "\(place.node.summary) is not accepted; seconds \(range) are")
        }
        return .seconds(seconds)
    }

    private func readCount(_ place: Place, in bounds: ClosedRange<Int>) throws(OpenAPIError) -> Int {
        guard let number = place.node.number, let count = Int(exactly: number), bounds.contains(count) else {
            let range = "\(bounds.lowerBound) to \(bounds.upperBound)"
            throw problem(place, .value, "\(place.node.summary) is not accepted; a whole number from \(range) is")
        }
        return count
    }

    // MARK: Helpers

    private func pairs(_ place: Place, _ what: String) throws(OpenAPIError) -> [(key: String, value: Place)] {
        guard case .mapping(let pairs) = place.node.value else {
            throw problem(place, .value, "\(place.node.summary) is not accepted; a mapping (\(what)) is")
        }
        return pairs.map { ($0.key, Place(node: $0.value, path: place.path + [$0.key])) }
    }

    private func problem(_ place: Place, _ code: OpenAPIError.Code, _ message: String) -> OpenAPIError {
        OpenAPIError(
            code,
            file: file,
            line: place.node.line,
            column: place.node.column,
            pointer: place.path.isEmpty ? nil : Place.pointer(place.path),
            message: message
        )
    }
}

/// A node and the keys that lead to it.
private struct Place {
    var node: DocumentNode
    var path: [String] = []

    subscript(_ key: String) -> Place? {
        node[key].map { Place(node: $0, path: path + [key]) }
    }

    /// The place that a fragment like `#/components/pathItems/a~1b` names (RFC 6901 §6).
    func following(_ fragment: String) -> Place? {
        var place = self
        for token in fragment.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) {
            let decoded = Self.percentDecoded(token)
            let key = decoded.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
                .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
            if case .sequence(let elements) = place.node.value {
                guard let index = Int(key), elements.indices.contains(index) else { return nil }
                place = Place(node: elements[index], path: place.path + [key])
            } else {
                guard let next = place[key] else { return nil }
                place = next
            }
        }
        return place
    }

    /// `#/paths/~1v1~1infer/post`.
    static func pointer(_ path: [String]) -> String {
        path.reduce(into: "#") { text, key in
            text += "/"
            for character in key {
                switch character {
                case "~": text += "~0"
                case "/": text += "~1"
                default: text.append(character)
                }
            }
        }
    }

    private static func percentDecoded(_ text: Substring) -> String {
        var bytes = Array(text.utf8)
        let count = bytes.withUnsafeMutableBytes { PercentEncoding.undo(UnsafeRawBufferPointer($0), into: $0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
