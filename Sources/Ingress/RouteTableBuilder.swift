import Core
import NIOCore
import OpenAPI

/// Makes the routes out of the OpenAPI document's operations and the configuration's rules over them.
///
/// A rule belongs to the operation with its method and path (however its parameters are called); a rule without a method to all
/// operations of its path, and to the methods that have none. Each value is taken from the strongest that has one: the rule with
/// the method, the rule without, the operation, the defaults.
struct RouteTableBuilder {
    /// One route to be: an operation, a rule, or both.
    private struct Draft {
        var method: RequestMethod?
        var path: PathTemplate
        var operation: APIOperation?
        var rule: RouteRule?
        /// The rule of its path without a method.
        var general: RouteRule?
    }

    private struct Place: Hashable {
        var shape: Int
        var method: RequestMethod?
    }

    private let defaults: RouteDefaults
    private var drafts: [Draft] = []
    private var places: [Place: Int] = [:]
    /// Paths that no request can tell apart have one number.
    private var shapes = PathMatcher<Int>()
    private var shapeOfText: [String: Int] = [:]

    private init(defaults: RouteDefaults) {
        self.defaults = defaults
    }

    /// - Parameter key: The number of a route id, the same each time.
    static func build(
        document: OpenAPIDocument?,
        rules: [RouteRule],
        defaults: RouteDefaults,
        key: (String) throws(IngressError) -> Int
    ) throws(IngressError) -> RouteTable {
        var builder = RouteTableBuilder(defaults: defaults)
        try builder.addOperations(document?.operations ?? [])
        try builder.addRules(rules)
        return try builder.table(key)
    }

    private mutating func addOperations(_ operations: [APIOperation]) throws(IngressError) {
        for operation in operations {
            let place = Place(shape: shape(of: operation.path), method: operation.method)
            guard places[place] == nil else {
                throw IngressError(.invalidRoutes, "\(operation.method.rawValue) \(operation.path) is there twice")
            }
            places[place] = drafts.count
            drafts.append(Draft(method: operation.method, path: operation.path, operation: operation))
        }
        // A rule may name an operation by its path behind a server's base path, where no other operation is written there.
        for index in drafts.indices {
            for path in drafts[index].operation?.pathsBehindServers ?? [] {
                let place = Place(shape: shape(of: path), method: drafts[index].method)
                if places[place] == nil { places[place] = index }
            }
        }
    }

    private mutating func addRules(_ rules: [RouteRule]) throws(IngressError) {
        var seen: Set<Place> = []
        var general: [(shape: Int, rule: RouteRule)] = []
        for rule in rules {
            let (method, path) = try parse(rule)
            let place = Place(shape: shape(of: path), method: method)
            guard seen.insert(place).inserted else {
                throw IngressError(.invalidRoutes, "routes: \(method?.rawValue ?? "*") \(path) is there twice")
            }
            if method == nil { general.append((place.shape, rule)) }
            if let index = places[place] {
                drafts[index].rule = rule
            } else {
                places[place] = drafts.count
                drafts.append(Draft(method: method, path: path, rule: rule))
            }
        }
        for (place, index) in places where place.method != nil {
            if let rule = general.first(where: { $0.shape == place.shape })?.rule { drafts[index].general = rule }
        }
    }

    private func parse(_ rule: RouteRule) throws(IngressError) -> (RequestMethod?, PathTemplate) {
        var method: RequestMethod?
        if let name = rule.method {
            method = RequestMethod(rawValue: name)
            if method == nil {
                throw IngressError(
                    .invalidRoutes,
                    "routes: \(rule.path): \"\(name)\" is no method that can be forwarded"
                )
            }
        }
        let path: PathTemplate
        do throws(PathTemplateError) {
            path = try PathTemplate(rule.path)
        } catch {
            throw IngressError(.invalidRoutes, "routes: \"\(rule.path)\": \(error)")
        }
        if let problem = Self.problem(with: path) {
            throw IngressError(.invalidRoutes, "routes: \"\(rule.path)\": \(problem)")
        }
        return (method, path)
    }

    /// Why a rule would be without effect: somebody means something else by it. The document may have such paths, it describes the pods.
    private static func problem(with path: PathTemplate) -> String? {
        if let reserved = ReservedPath(ByteBuffer(string: path.text)), reserved != .admin {
            return "requests to this path do not go to pods"
        }
        if path.text.split(separator: "/").contains(where: { $0 == "*" || $0 == "**" }) {
            return "\"*\" stands for nothing but itself; {name} stands for one segment"
        }
        return nil
    }

    private mutating func shape(of path: PathTemplate) -> Int {
        if let known = shapeOfText[path.text] { return known }
        var shape = shapeOfText.count
        do throws(PathConflict) {
            try shapes.insert(shape, at: path, method: nil)
        } catch {
            shape = shapeOfText[error.existing.text]!
        }
        shapeOfText[path.text] = shape
        return shape
    }

    private func table(_ key: (String) throws(IngressError) -> Int) throws(IngressError) -> RouteTable {
        var routes = [defaultRoute]
        var matcher = PathMatcher<Route>()
        for draft in drafts {
            let route = try route(of: draft, key)
            routes.append(route)
            do throws(PathConflict) {
                try matcher.insert(route, at: draft.path, method: draft.method)
            } catch {
                throw IngressError(.invalidRoutes, "routes: \(error)")
            }
        }
        for (draft, route) in zip(drafts, routes.dropFirst()) {
            for path in draft.operation?.pathsBehindServers ?? [] {
                // What is written there itself goes before it.
                try? matcher.insert(route, at: path, method: draft.method)
            }
        }
        return RouteTable(routes: routes, matcher: matcher)
    }

    private var defaultRoute: Route {
        Route(
            key: 0,
            id: Route.defaultID,
            method: nil,
            template: nil,
            needs: defaults.needs,
            needsSource: defaults.needsSource,
            holdTimeout: defaults.holdTimeout,
            requestTimeout: defaults.requestTimeout
        )
    }

    private func route(of draft: Draft, _ key: (String) throws(IngressError) -> Int) throws(IngressError) -> Route {
        let id = "\(draft.method?.rawValue ?? "*") \(draft.path)"
        let rules = [draft.rule, draft.general].compactMap { $0 }
        let stated = draft.operation?.settings
        let (needs, needsSource) = try needs(of: id, rules, stated?.needs ?? StatedNeeds())
        return Route(
            key: try key(id),
            id: id,
            method: draft.method?.rawValue,
            template: draft.path.text,
            needs: needs,
            needsSource: needsSource,
            holdTimeout: setting(rules.firstValue(\.holdTimeout), stated?.holdTimeout, defaults.holdTimeout),
            requestTimeout: setting(
                rules.firstValue(\.requestTimeout),
                stated?.requestTimeout,
                defaults.requestTimeout
            ),
            retry: setting(rules.firstValue(\.retry), stated?.retry, Setting(.idempotent, from: .default)),
            maxConcurrency: bound(rules.firstValue(\.maxConcurrency), stated?.maxConcurrency),
            maxQueueDepth: bound(rules.firstValue(\.maxQueueDepth), stated?.maxQueueDepth)
        )
    }

    private func setting<Value>(_ rule: Value?, _ stated: Value?, _ fallback: Setting<Value>) -> Setting<Value> {
        if let rule { return Setting(rule, from: .configuration) }
        if let stated { return Setting(stated, from: .openapi) }
        return fallback
    }

    /// Without a default: there is no bound where nobody says one.
    private func bound(_ rule: Int?, _ stated: Int?) -> Setting<Int?> {
        if let rule { return Setting(rule, from: .configuration) }
        return Setting(stated, from: stated == nil ? .default : .openapi)
    }

    private func needs(
        of id: String,
        _ rules: [RouteRule],
        _ stated: StatedNeeds
    ) throws(IngressError) -> (ResourceVector, SettingSource) {
        let (cpus, gpus, memory) = (
            rules.firstValue(\.cpus), rules.firstValue(\.gpus), rules.firstValue(\.memoryGB)
        )
        var needs = stated.filled(from: defaults.needs)
        guard cpus != nil || gpus != nil || memory != nil else {
            return (needs, stated.isEmpty ? defaults.needsSource : .openapi)
        }
        guard let ruled = ResourceVector(needingCPUs: cpus ?? 0, gpus: gpus ?? 0, memoryGB: memory ?? 0) else {
            throw IngressError(
                .invalidRoutes,
                "routes: \(id): resources are numbers from 0 to \(Int(ResourceVector.maximumUnits))"
            )
        }
        if cpus != nil { needs.cpus = ruled.cpus }
        if gpus != nil { needs.gpus = ruled.gpus }
        if memory != nil { needs.memory = ruled.memory }
        return (needs, .configuration)
    }
}

extension [RouteRule] {
    /// The value of the first rule that says one.
    fileprivate func firstValue<Value>(_ value: KeyPath<RouteRule, Value?>) -> Value? {
        for rule in self {
            if let value = rule[keyPath: value] { return value }
        }
        return nil
    }
}
