import OpenAPI

/// The pods of one namespace as lists and watches tell them. No I/O.
struct NamespacePods: Sendable {
    /// By ``KubernetesPod/id``.
    private(set) var pods: [String: KubernetesPod] = [:]
    /// Where the next watch begins: opaque, and whatever was heard last.
    private(set) var resourceVersion: String?

    /// What an event meant.
    enum Effect: Equatable {
        case changed
        case nothing
        /// It is of no kind that is known, in words.
        case strange(String)
    }

    /// Takes a whole list: what is not in it is gone; what is in it and cannot be understood stays as it was.
    mutating func replace(_ list: PodPages) {
        pods = pods.filter { list.misunderstood.contains($0.key) }
            .merging(list.pods.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        resourceVersion = list.resourceVersion
    }

    /// Takes one event of a watch (kubernetes.io/docs/reference/using-api/api-concepts, "Efficient detection of changes").
    /// - Throws: A ``DiscoveryError`` for an error that the API server tells in an event, and for half an event.
    mutating func apply(_ event: DocumentNode) throws(DiscoveryError) -> Effect {
        guard let type = event["type"]?.text, let object = event["object"] else {
            throw DiscoveryError(.invalidAnswer, "an event of the watch has no type, or no object")
        }
        if type == "ERROR" { throw Self.error(object) }
        defer {
            if let version = object["metadata"]?["resourceVersion"]?.text { resourceVersion = version }
        }
        switch type {
        case "BOOKMARK": return .nothing
        case "ADDED", "MODIFIED":
            guard let pod = KubernetesPod(object) else { return .strange(Self.describe(type, object)) }
            return pods.updateValue(pod, forKey: pod.id) == pod ? .nothing : .changed
        case "DELETED":
            guard let id = KubernetesPod.id(of: object) else { return .strange(Self.describe(type, object)) }
            return pods.removeValue(forKey: id) == nil ? .nothing : .changed
        default: return .strange("an event of the type \(quoted(type))")
        }
    }

    private static func describe(_ type: String, _ object: DocumentNode) -> String {
        if let id = KubernetesPod.id(of: object), let objection = KubernetesPod.objection(to: object) {
            return "an event \(type) of the pod \(quoted(id)): \(objection)"
        }
        let kind = "\(object["apiVersion"]?.text ?? "?") \(object["kind"]?.text ?? "?")"
        return "an event \(type) of \(quoted(kind)), or without a name"
    }

    private static func error(_ status: DocumentNode) -> DiscoveryError {
        let words = status["message"]?.text.map { shown($0) } ?? "without a word"
        let code = status["code"]?.text.flatMap(Int.init) ?? 0
        if code == 410 || ["Expired", "Gone"].contains(status["reason"]?.text) {
            return .gone(words)
        }
        return DiscoveryError(.refused, "the API server ended the watch: \(words) (\(code))")
    }
}

/// A list, all pages of it.
struct PodPages: Sendable {
    var pods: [KubernetesPod] = []
    /// Of the whole list; every page has the same.
    var resourceVersion: String?
    /// Where the next page begins; nil after the last.
    var next: String?
    /// Items that are no pods, in words; the first few.
    var strange: [String] = []
    /// Of those among them that have names, ``KubernetesPod/id``.
    var misunderstood: Set<String> = []

    private static let maximumStrange = 20

    /// - Throws: A ``DiscoveryError`` for what is no list.
    mutating func add(page: DocumentNode) throws(DiscoveryError) {
        guard case .sequence(let items) = page["items"]?.value else {
            // An empty list of Go's is null.
            guard page["items"]?.isNull == true, page["metadata"] != nil else {
                throw DiscoveryError(.invalidAnswer, "the API server's answer is no list of pods: it has no items")
            }
            (resourceVersion, next) = (page["metadata"]?["resourceVersion"]?.text, nil)
            return
        }
        for (index, item) in items.enumerated() {
            if let pod = KubernetesPod(item) {
                pods.append(pod)
                continue
            }
            let id = KubernetesPod.id(of: item)
            if let id { misunderstood.insert(id) }
            guard strange.count < Self.maximumStrange else { continue }
            if let id, let objection = KubernetesPod.objection(to: item) {
                strange.append("the pod \(quoted(id)) of the list: \(objection)")
            } else {
                strange.append("item \(index) of the list is no pod, or has no name")
            }
        }
        let metadata = page["metadata"]
        resourceVersion = metadata?["resourceVersion"]?.text
        next = metadata?["continue"]?.text.flatMap { $0.isEmpty ? nil : $0 }
    }
}
