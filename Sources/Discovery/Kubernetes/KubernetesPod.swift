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

    /// - Returns: nil for what is no Pod, or one without a name.
    init?(_ object: DocumentNode) {
        if let kind = object["kind"]?.text, kind != "Pod" { return nil }
        guard let metadata = object["metadata"], let name = metadata["name"]?.text, !name.isEmpty else { return nil }
        self.name = name
        namespace = metadata["namespace"]?.text ?? "default"
        let (spec, status) = (object["spec"], object["status"])
        node = spec?["nodeName"]?.text
        phase = status?["phase"]?.text
        isReady =
            status?["conditions"].elements.contains { condition in
                condition["type"]?.text == "Ready" && condition["status"]?.text == "True"
            } ?? false
        isBeingDeleted = metadata["deletionTimestamp"]?.text != nil
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
        let annotations = metadata["annotations"]
        portAnnotation = annotations?["neutrino.dev/port"]?.text
        schemeAnnotation = annotations?["neutrino.dev/scheme"]?.text
        drainAnnotation = annotations?["neutrino.dev/drain"]?.text
        application = metadata["labels"]?["app.kubernetes.io/name"]?.text
        controller = metadata["ownerReferences"].elements.first { $0["controller"]?.text == "true" }?["uid"]?.text
    }
}

extension DocumentNode? {
    /// Of a list; none of what is no list.
    var elements: [DocumentNode] {
        guard case .sequence(let elements) = self?.value else { return [] }
        return elements
    }
}
