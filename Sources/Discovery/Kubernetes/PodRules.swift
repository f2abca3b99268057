import Core
import NIOCore

/// Who this gateway is, so that it never takes itself or its like for a task pod.
package struct GatewayIdentity: Sendable, Equatable {
    /// Of its own pod; nil outside Kubernetes.
    package var podName: String?
    package var namespace: String?
    /// What pods of any gateway have as their label `app.kubernetes.io/name`.
    static let application = "neutrino-gateway"

    package init(podName: String? = nil, namespace: String? = nil) {
        self.podName = podName
        self.namespace = namespace
    }
}

/// Decides which pods get requests, and where: from what the API server says of them and the configuration, and nothing else.
struct PodRules: Sendable {
    /// `K8S_PORT`
    var port: Int?
    var gateway: GatewayIdentity
    /// Whether ids are `namespace/name`: where pods come from more than one namespace, a name alone is not unique.
    var namesNamespace: Bool

    init(_ configuration: KubernetesConfiguration) {
        port = configuration.port
        gateway = configuration.gateway
        namesNamespace = configuration.namespaces.count != 1
    }

    /// - Returns: Those to use and those not to, each in the order of their ids.
    func sort(_ pods: [KubernetesPod]) -> (used: [PodDescription], skipped: [SkippedPod]) {
        // All replicas of this gateway have what controls them in common.
        let controllers = Set(pods.filter(isThisGateway).compactMap(\.controller))
        let judged = pods.sorted { $0.id < $1.id }.map { ($0, judge($0, gatewayControllers: controllers)) }
        let holders = Self.holders(judged)
        var used: [PodDescription] = []
        var skipped: [SkippedPod] = []
        for (pod, judgement) in judged {
            switch judgement.flatMap({ Self.keep($0, of: pod, holders) }) {
            case .success(let description): used.append(description)
            case .failure(let objection):
                skipped.append(
                    SkippedPod(
                        name: pod.name,
                        namespace: pod.namespace,
                        node: pod.node,
                        reason: objection.reason,
                        isMistake: objection.isMistake
                    )
                )
            }
        }
        return (used, skipped)
    }

    /// Who answers at each address: pods with `hostNetwork` on one node may name one port, which only one of them can have. The newer one,
    /// since the others may be from before it; of those made in one second the first by name.
    private static func holders(
        _ judged: [(KubernetesPod, Result<PodDescription, Objection>)]
    ) -> [String: KubernetesPod] {
        var holders: [String: KubernetesPod] = [:]
        for (pod, judgement) in judged {
            guard case .success(let description) = judgement else { continue }
            if let other = holders[description.authority], other.created >= pod.created { continue }
            holders[description.authority] = pod
        }
        return holders
    }

    private static func keep(
        _ description: PodDescription,
        of pod: KubernetesPod,
        _ holders: [String: KubernetesPod]
    ) -> Result<PodDescription, Objection> {
        guard let holder = holders[description.authority], holder.id != pod.id else { return .success(description) }
        return .failure(
            .mistake(
                "it has the address and the port of \(holder.id), \(description.authority): with hostNetwork each pod of a node needs a port of its own"
            )
        )
    }

    /// Why a pod is not used.
    private struct Objection: Error {
        var reason: String
        /// Else it passes by itself.
        var isMistake = false

        static func mistake(_ reason: String) -> Objection { Objection(reason: reason, isMistake: true) }
    }

    private func judge(_ pod: KubernetesPod, gatewayControllers: Set<String>) -> Result<PodDescription, Objection> {
        Result { () throws(Objection) in
            if isThisGateway(pod) || pod.application == GatewayIdentity.application
                || pod.controller.map(gatewayControllers.contains) == true
            {
                throw Objection(reason: "it is a gateway")
            }
            if pod.phase == "Succeeded" || pod.phase == "Failed" {
                throw Objection(reason: "it has ended: \(pod.phase!)")
            }
            if pod.isBeingDeleted { throw Objection(reason: "it is being deleted") }
            // What the pod's author wrote is told before the pod runs.
            let (port, scheme, isDraining) = (try portNumber(of: pod), try scheme(of: pod), try drains(pod))
            guard pod.phase == "Running" else { throw Objection(reason: "it does not run: \(pod.phase ?? "no phase")") }
            guard pod.isReady else { throw Objection(reason: "it is not ready") }
            guard let address = pod.address, !address.isEmpty else {
                throw .mistake("it is ready and has no IP address")
            }
            guard (try? SocketAddress(ipAddress: address, port: port)) != nil else {
                throw .mistake("its IP address is \(quoted(address)), which is none")
            }
            return PodDescription(
                id: namesNamespace ? pod.id : pod.name,
                scheme: scheme,
                host: address,
                port: port,
                name: pod.name,
                namespace: pod.namespace,
                node: pod.node,
                isDraining: isDraining
            )
        }
    }

    private func isThisGateway(_ pod: KubernetesPod) -> Bool {
        pod.name == gateway.podName && pod.namespace == gateway.namespace
    }

    /// The annotation, else `K8S_PORT`, else the port named `neutrino`, else `http`, else the only one.
    private func portNumber(of pod: KubernetesPod) throws(Objection) -> Int {
        if let text = pod.portAnnotation {
            let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            if isNumber, let number = Int(text), (1...65_535).contains(number) { return number }
            // The name of a port, as a Service's targetPort may be.
            if let number = try number(ofPortsNamed: text, of: pod) { return number }
            throw .mistake(
                "its annotation neutrino.dev/port is \(quoted(text)), which is neither a port from 1 to 65535 nor the name of one that it has"
            )
        }
        if let port { return port }
        for name in ["neutrino", "http"] {
            if let number = try number(ofPortsNamed: name, of: pod) { return number }
        }
        let numbers = Set(pod.ports.map(\.number)).sorted()
        guard let only = numbers.first else {
            throw .mistake("none of its containers names a TCP port: set the annotation neutrino.dev/port, or K8S_PORT")
        }
        guard numbers.count == 1 else {
            throw .mistake(
                "it has the ports \(numbers.map(String.init).joined(separator: ", ")): name one of them `neutrino`, or set the annotation neutrino.dev/port or K8S_PORT"
            )
        }
        return only
    }

    private func number(ofPortsNamed name: String, of pod: KubernetesPod) throws(Objection) -> Int? {
        let numbers = Set(pod.ports.filter { $0.name == name }.map(\.number))
        guard numbers.count <= 1 else {
            throw .mistake(
                "it has \(numbers.count) ports named \(quoted(name)): set the annotation neutrino.dev/port to a number"
            )
        }
        return numbers.first
    }

    private func scheme(of pod: KubernetesPod) throws(Objection) -> PodDescription.Scheme {
        guard let text = pod.schemeAnnotation else { return .http }
        guard let scheme = PodDescription.Scheme(rawValue: text.lowercased()) else {
            throw .mistake("its annotation neutrino.dev/scheme is \(quoted(text)); http or https is accepted")
        }
        return scheme
    }

    private func drains(_ pod: KubernetesPod) throws(Objection) -> Bool {
        switch pod.drainAnnotation {
        case nil, "false": return false
        case "true": return true
        case let text?:
            throw .mistake("its annotation neutrino.dev/drain is \(quoted(text)); true or false is accepted")
        }
    }
}
