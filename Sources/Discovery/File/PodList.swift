package import Core
import OpenAPI

/// Reads a file that lists pods, in YAML or JSON.
///
/// An entry is a URL, a mapping with a `url` and what else there is to say of the pod, or a group of addresses as Prometheus' file
/// discovery has them (`targets`, with `labels` of which `__scheme__` counts).
package enum PodList {
    /// - Parameter file: What errors call it; its ending says what it is.
    /// - Throws: A ``DiscoveryError`` with the place and what is accepted. Nothing of a file with a mistake is used.
    package static func parse(_ text: String, file: String) throws(DiscoveryError) -> [PodDescription] {
        let root: DocumentNode
        do throws(DocumentProblem) {
            root = try DocumentNode.read(text, file: file)
        } catch {
            let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingSpaces() }
            let isBlank = lines.allSatisfy { $0.isEmpty || $0.hasPrefix("#") }
            // Not taken for a list of none: it may be one that is being written.
            throw DiscoveryError(
                .invalidFile,
                isBlank ? "\(file): it is empty: write `[]` for none" : "\(file): \(error)"
            )
        }
        guard case .sequence(let entries) = root.value else {
            throw problem(
                file,
                root,
                "a list of pods is expected, such as `- http://10.0.0.7:8080`; there is \(root.summary)"
            )
        }
        var pods: [PodDescription] = []
        var seen: Set<String> = []
        for entry in entries {
            for pod in try read(entry, file) {
                guard seen.insert(pod.url).inserted else { throw problem(file, entry, "\(pod.url) is there twice") }
                pods.append(pod)
            }
        }
        return pods
    }

    private static func read(_ entry: DocumentNode, _ file: String) throws(DiscoveryError) -> [PodDescription] {
        guard case .mapping(let pairs) = entry.value else {
            guard let url = entry.text else {
                throw problem(
                    file,
                    entry,
                    "a URL is expected, or a mapping with `url` or `targets`; there is \(entry.summary)"
                )
            }
            return [try pod(url, entry, file)]
        }
        if let targets = entry["targets"] { return try group(pairs, targets, file) }
        guard let url = entry["url"] else {
            throw problem(file, entry, "a mapping without `url`, and without `targets`")
        }
        var pod = try pod(text(url, "url", file), url, file)
        for (key, value) in pairs {
            switch key {
            case "url": break
            case "name": pod.name = try text(value, key, file)
            case "namespace": pod.namespace = try text(value, key, file)
            case "node": pod.node = try text(value, key, file)
            case "drain": pod.isDraining = try flag(value, key, file)
            default:
                throw problem(file, value, "unknown key \"\(key)\"; url, name, namespace, node and drain are accepted")
            }
        }
        return [pod]
    }

    /// `{targets: [host:port, …], labels: {…}}`
    private static func group(
        _ pairs: [(key: String, value: DocumentNode)],
        _ targets: DocumentNode,
        _ file: String
    ) throws(DiscoveryError) -> [PodDescription] {
        var scheme = "http"
        for (key, value) in pairs where key != "targets" {
            guard key == "labels" else {
                throw problem(file, value, "unknown key \"\(key)\"; targets and labels are accepted")
            }
            // Others are Prometheus' business.
            if let given = value["__scheme__"] { scheme = try text(given, "__scheme__", file) }
        }
        guard case .sequence(let addresses) = targets.value else {
            throw problem(file, targets, "`targets` is a list of host:port; there is \(targets.summary)")
        }
        var pods: [PodDescription] = []
        for address in addresses {
            let written = try text(address, "targets", file)
            pods.append(try pod(written.contains("://") ? written : "\(scheme)://\(written)", address, file))
        }
        return pods
    }

    private static func pod(
        _ url: String,
        _ node: DocumentNode,
        _ file: String
    ) throws(DiscoveryError) -> PodDescription {
        do throws(DiscoveryError) {
            return try BackendList.pod(url[...])
        } catch {
            throw problem(file, node, error.message)
        }
    }

    private static func text(_ node: DocumentNode, _ key: String, _ file: String) throws(DiscoveryError) -> String {
        guard let text = node.text, !text.isEmpty, text.utf8.count <= 253, text.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw problem(file, node, "\(key): a text of at most 253 bytes is expected; there is \(node.summary)")
        }
        return text
    }

    private static func flag(_ node: DocumentNode, _ key: String, _ file: String) throws(DiscoveryError) -> Bool {
        switch node.text {
        case "true": return true
        case "false": return false
        default: throw problem(file, node, "\(key): true or false is expected; there is \(node.summary)")
        }
    }

    private static func problem(_ file: String, _ node: DocumentNode, _ message: String) -> DiscoveryError {
        DiscoveryError(.invalidFile, "\(file):\(node.line): \(message)")
    }
}
