import Core
import Discovery
import NIOCore

/// docs/discovery.md says what each way of finding pods does with them.
extension SettingCatalogue {
    static let discovery: [SettingDefinition] = [
        .init("discovery_mode", .discovery, \.discoveryMode, .word, "How pods are found."),
        .init(
            "static_backends",
            .discovery,
            \.staticBackends,
            .backends,
            "The pods, for `discovery_mode` static.",
            reloadable: true
        ),
        .init(
            "discovery_file",
            .discovery,
            \.discoveryFile,
            SettingType.path.optional("none"),
            "The file that lists the pods, in YAML or JSON, for `discovery_mode` file. Looked at every second."
        ),
        .init(
            "k8s_label_selector",
            .discovery,
            \.k8sLabelSelector,
            SettingType.labelSelector.optional("none"),
            "The labels of task pods, for `discovery_mode` kubernetes."
        ),
        .init(
            "k8s_namespace",
            .discovery,
            \.k8sNamespace,
            SettingType.namespaces.optional("own"),
            "Where they are; `own` is the namespace of the service account, or of the kubeconfig's context."
        ),
        .init(
            "k8s_port",
            .discovery,
            \.k8sPort,
            SettingType.integer("PORT", in: 1...65_535).optional("auto"),
            "Their port, where the annotation `neutrino.dev/port` names none; `auto` is the container port named `neutrino`, else `http`, else the only one."
        ),
        .init(
            "kubeconfig",
            .discovery,
            \.kubeconfig,
            SettingType.path.optional("none"),
            "How to reach the API server from outside of the cluster; without it the pod's service account says so."
        ),
        .init(
            "k8s_context",
            .discovery,
            \.k8sContext,
            SettingType.text("NAME", accepted: "a name").optional("current"),
            "The context of the kubeconfig; `current` is the one that it names itself."
        ),
        .init(
            "k8s_api_url",
            .discovery,
            \.k8sAPIURL,
            SettingType.url.optional("none"),
            "The API server without credentials, as `kubectl proxy` serves it; goes before `kubeconfig`."
        ),
        .init(
            "dns_name",
            .discovery,
            \.dnsName,
            SettingType.dnsName.optional("none"),
            "The name whose addresses, or services (`_http._tcp.pods.example`), the pods are, for `discovery_mode` dns."
        ),
        .init(
            "dns_port",
            .discovery,
            \.dnsPort,
            SettingType.integer("PORT", in: 1...65_535).optional("none"),
            "Their port; services have their own."
        ),
        .init("dns_scheme", .discovery, \.dnsScheme, .word, "What is spoken to them."),
        .init(
            "dns_family",
            .discovery,
            \.dnsFamily,
            .word,
            "Which of a name's addresses are pods: all IPv4 ones, or all IPv6 ones; `auto` is IPv4 where there are any. Never both: a pod that has two addresses would count twice."
        ),
        .init(
            "dns_refresh",
            .discovery,
            \.dnsRefresh,
            .duration(in: .seconds(1)...hour),
            "The longest time between two lookups; records that live shorter are looked up sooner, at least a second apart."
        ),
        .init(
            "dns_server",
            .discovery,
            \.dnsServer,
            SettingType.nameServer.optional("system"),
            "Whom to ask; `system` is what `/etc/resolv.conf` says."
        ),
    ]
}

extension SettingType where Value == String {
    /// A label selector, checked as far as that can be without the API server.
    static var labelSelector: SettingType {
        SettingType(
            "SELECTOR",
            accepted: "a label selector, such as app=task-pod or `tier in (gpu,cpu),!canary`",
            parse: { text throws(SettingRejection) in
                guard text.utf8.count <= 4096 else { throw SettingRejection("it is longer than 4096 bytes") }
                do throws(DiscoveryError) {
                    try LabelSelector.check(text)
                } catch {
                    throw SettingRejection(error.message)
                }
                return text
            },
            format: { $0 }
        )
    }
}

extension SettingType where Value == [String] {
    /// Namespaces of Kubernetes, each a DNS label (RFC 1123); `*`, an empty list, for all.
    static var namespaces: SettingType {
        SettingType(
            "NAME,…",
            accepted: "names of namespaces, separated by commas, at most 100; `*` for all",
            parse: { text throws(SettingRejection) in
                if text == "*" { return [] }
                var names: [String] = []
                for name in text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed) {
                    let isLabel =
                        (1...63).contains(name.utf8.count) && !name.hasPrefix("-") && !name.hasSuffix("-")
                        && name.utf8.allSatisfy {
                            UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                                || $0 == UInt8(ascii: "-")
                        }
                    guard isLabel else { throw SettingRejection("\(quoted(name)) is no name of a namespace") }
                    guard !names.contains(name) else { throw SettingRejection("\(name) is named twice") }
                    names.append(name)
                }
                guard names.count <= 100 else { throw SettingRejection("\(names.count) names") }
                return names
            },
            format: { $0.isEmpty ? "*" : $0.joined(separator: ",") }
        )
    }
}

/// A name server: an address, and a port where it is not 53.
struct NameServerAddress: Hashable, Sendable {
    var host: String
    var port: Int
}

extension SettingType where Value == NameServerAddress {
    static var nameServer: SettingType {
        SettingType(
            "ADDRESS[:PORT]",
            accepted: "an IPv4 address, or an IPv6 address in brackets, with a port or without",
            parse: { text throws(SettingRejection) in
                // Read as the authority of a URL, so that brackets and ports mean what they mean elsewhere.
                guard let pod = try? BackendList.parse("http://\(text)").first, pod.url.hasPrefix("http://"),
                    (try? SocketAddress(ipAddress: pod.host, port: pod.port)) != nil
                else { throw SettingRejection() }
                let hasPort = text.hasSuffix(":\(pod.port)")
                return NameServerAddress(host: pod.host, port: hasPort ? pod.port : 53)
            },
            format: { server in
                let host = server.host.contains(":") ? "[\(server.host)]" : server.host
                return server.port == 53 ? host : "\(host):\(server.port)"
            }
        )
    }
}

extension SettingType where Value == String {
    /// A name of the domain name system, with a dot at its end or without.
    static var dnsName: SettingType {
        SettingType(
            "NAME",
            accepted: "a name such as pods.example, or one of services such as _http._tcp.pods.example",
            parse: { text throws(SettingRejection) in
                let name = text.hasSuffix(".") ? String(text.dropLast()) : text
                let unbracketed =
                    name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
                if (try? SocketAddress(ipAddress: unbracketed, port: 0)) != nil {
                    throw SettingRejection("it is an address: for pods at addresses there is discovery_mode static")
                }
                let labels =
                    name
                    .split(separator: ".", omittingEmptySubsequences: false)
                let isName =
                    text.utf8.count <= 253
                    && labels.allSatisfy { (1...63).contains($0.utf8.count) && isHost($0) }
                guard isName, !text.contains(":") else { throw SettingRejection() }
                return text
            },
            format: { $0 }
        )
    }
}
