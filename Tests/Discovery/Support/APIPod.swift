/// A Pod object as an API server has it, as far as tests need it.
struct APIPod: Sendable {
    var name: String
    var namespace = "default"
    var ip: String?
    var node = "node-1"
    var phase = "Running"
    var isReady = true
    var isDeleted = false
    var annotations: [String: String] = [:]
    var labels = ["app": "pods"]
    var ports: [(name: String?, number: Int)] = [("http", 8080)]
    /// Of an init container with `restartPolicy: Always`.
    var sidecarPorts: [(name: String?, number: Int)] = []
    /// Of one that has ended long since.
    var initPorts: [(name: String?, number: Int)] = []
    var controller: String?

    var created = "2026-11-25T00:00:00Z"

    init(_ name: String, ip: String?) {
        self.name = name
        self.ip = ip
    }

    /// With an address of its own: no two pods have one place.
    init(_ name: String) {
        let number = name.utf8.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) }
        self.init(name, ip: "172.\(16 + number >> 16 % 16).\(number >> 8 % 256).\(number % 256)")
    }

    /// With a change.
    func with(_ change: (inout APIPod) -> Void) -> APIPod {
        var copy = self
        change(&copy)
        return copy
    }

    func json(version: Int = 1) -> String {
        var metadata = [#""name":"\#(name)","namespace":"\#(namespace)","resourceVersion":"\#(version)""#]
        metadata.append(#""creationTimestamp":"\#(created)""#)
        metadata.append(#""labels":\#(Self.map(labels)),"annotations":\#(Self.map(annotations))"#)
        if isDeleted { metadata.append(#""deletionTimestamp":"2026-11-25T00:00:00Z""#) }
        if let controller {
            metadata.append(
                #""ownerReferences":[{"uid":"x"},{"kind":"StatefulSet","uid":"\#(controller)","controller":true}]"#
            )
        }
        let containers = #"[{"name":"main","ports":\#(Self.list(ports))}]"#
        let initial =
            #"[{"name":"side","restartPolicy":"Always","ports":\#(Self.list(sidecarPorts))},{"name":"init","ports":\#(Self.list(initPorts))}]"#
        let address = ip.map { #""podIP":"\#($0)","# } ?? ""
        let conditions =
            #"[{"type":"Initialized","status":"True"},{"type":"Ready","status":"\#(isReady ? "True" : "False")"}]"#
        return #"{"apiVersion":"v1","kind":"Pod","metadata":{\#(metadata.joined(separator: ","))},"#
            + #""spec":{"nodeName":"\#(node)","containers":\#(containers),"initContainers":\#(initial)},"#
            + #""status":{"phase":"\#(phase)",\#(address)"conditions":\#(conditions)}}"#
    }

    private static func map(_ pairs: [String: String]) -> String {
        "{" + pairs.sorted { $0.key < $1.key }.map { #""\#($0)":"\#($1)""# }.joined(separator: ",") + "}"
    }

    private static func list(_ ports: [(name: String?, number: Int)]) -> String {
        let items = ports.map { port in
            "{" + (port.name.map { #""name":"\#($0)","# } ?? "") + #""containerPort":\#(port.number),"protocol":"TCP"}"#
        }
        // What is sent on UDP is no pod's HTTP.
        return "[" + (items + [#"{"name":"neutrino","containerPort":53,"protocol":"UDP"}"#]).joined(separator: ",")
            + "]"
    }
}
