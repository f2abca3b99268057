import NIOCore
import OpenAPI

/// What of a Pod object counts for the gateway (kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1). The rest is not
/// kept.
struct KubernetesPod: Hashable, Sendable {
    /// A TCP port that a container says it listens on.
    struct Port: Hashable, Sendable {
        var name: String?
        var number: Int
    }

    var name: String
    var namespace: String
    /// `creationTimestamp`: in UTC and always of one form (RFC 3339), so that later ones sort behind earlier ones; empty where it is not said.
    var created: String
    var node: String?
    var phase: String?
    /// Its condition `Ready` is `True`.
    var isReady: Bool
    /// It has a `deletionTimestamp`.
    var isBeingDeleted: Bool
    var address: String?
    /// Of its containers, and of the sidecars among its init containers (`restartPolicy: Always`).
    var ports: [Port]
    /// `neutrino.dev/port`, as it is written.
    var portAnnotation: String?
    /// `neutrino.dev/scheme`
    var schemeAnnotation: String?
    /// `neutrino.dev/drain`
    var drainAnnotation: String?
    /// `app.kubernetes.io/name`
    var application: String?
    /// The uid of what controls it: its StatefulSet, ReplicaSet, Job.
    var controller: String?

    var id: String { "\(namespace)/\(name)" }

    /// - Returns: nil for what is no Pod, one without a name, or one to which there is an ``objection(to:)``.
    init?(_ object: DocumentNode) {
        guard let (name, namespace) = Self.names(of: object), Self.objection(to: object) == nil else { return nil }
        (self.name, self.namespace) = (name, namespace)
        let (metadata, spec, status) = (object["metadata"], object["spec"], object["status"])
        created = metadata?["creationTimestamp"]?.text ?? ""
        node = spec?["nodeName"]?.text
        phase = status?["phase"]?.text
        isReady =
            status?["conditions"].elements.contains { condition in
                condition["type"]?.text == "Ready" && condition["status"]?.text == "True"
            } ?? false
        isBeingDeleted = metadata?["deletionTimestamp"]?.text != nil
        address = status?["podIP"]?.text
        let sidecars = spec?["initContainers"].elements.filter { $0["restartPolicy"]?.text == "Always" } ?? []
        let containers = (spec?["containers"].elements ?? []) + sidecars
        ports = containers.flatMap { $0["ports"].elements }.compactMap { port in
            guard (port["protocol"]?.text ?? "TCP") == "TCP",
                let number = port["containerPort"]?.text.flatMap(Int.init),
                (1...65_535).contains(number)
            else { return nil }
            return Port(name: port["name"]?.text, number: number)
        }
        let annotations = metadata?["annotations"]
        portAnnotation = annotations?["neutrino.dev/port"]?.text
        schemeAnnotation = annotations?["neutrino.dev/scheme"]?.text
        drainAnnotation = annotations?["neutrino.dev/drain"]?.text
        application = metadata?["labels"]?["app.kubernetes.io/name"]?.text
        controller = (metadata?["ownerReferences"]).elements.first { $0["controller"]?.text == "true" }?["uid"]?.text
    }

    /// ``id`` of an object, of which nothing else has to be understood; nil for what is no Pod, or one without a name.
    static func id(of object: DocumentNode) -> String? {
        names(of: object).map { "\($0.namespace)/\($0.name)" }
    }

    private static func names(of object: DocumentNode) -> (name: String, namespace: String)? {
        if let kind = object["kind"]?.text, kind != "Pod" { return nil }
        guard let metadata = object["metadata"], let name = metadata["name"]?.text, !name.isEmpty else { return nil }
        return (name, metadata["namespace"]?.text ?? "default")
    }

    /// Why a Pod object cannot be understood, in words: a part of it is of another kind than it has to be. Read as if the part were not there
    /// it would be a pod that is not ready, or has no ports.
    static func objection(to object: DocumentNode) -> String? {
        let (metadata, spec, status) = (object["metadata"], object["spec"], object["status"])
        for (name, part) in [
            ("spec", spec), ("status", status), ("metadata.labels", metadata?["labels"]),
            ("metadata.annotations", metadata?["annotations"]),
        ] {
            guard let part, !part.isNull else { continue }
            guard case .mapping = part.value else { return "its \(name) is \(quoted(part.summary))" }
        }
        for (name, part) in [
            ("spec.containers", spec?["containers"]), ("spec.initContainers", spec?["initContainers"]),
            ("status.conditions", status?["conditions"]),
        ] {
            guard let part, !part.isNull else { continue }
            guard case .sequence = part.value else { return "its \(name) is \(quoted(part.summary))" }
        }
        return nil
    }
}

extension DocumentNode? {
    /// Of a list; none of what is no list.
    var elements: [DocumentNode] {
        guard case .sequence(let elements) = self?.value else { return [] }
        return elements
    }
}
