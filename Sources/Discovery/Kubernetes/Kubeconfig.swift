import Foundation
import OpenAPI

/// Reads a kubeconfig (kubernetes.io/docs/reference/config-api/kubeconfig.v1) as far as it says how to reach one API server.
///
/// What would have the gateway run programs, or weaken what it promises, is refused by its name, with what to do in its place.
enum Kubeconfig {
    /// - Parameters:
    ///   - paths: Files with colons between them; of what several say, the first holds, and those that are not there are passed over as long
    ///     as one is, as for kubectl.
    ///   - context: nil for `current-context`.
    static func access(paths: String, context: String?) throws(DiscoveryError) -> KubernetesAccess {
        var files: [Source] = []
        let paths = paths.split(separator: ":").map(String.init)
        let there = paths.filter(SmallFile.exists)
        for path in there.isEmpty ? paths : there { files.append(try Source(path)) }
        guard let first = files.first else {
            throw DiscoveryError(.invalidConfiguration, "KUBECONFIG names no file")
        }
        guard let name = context ?? files.lazy.compactMap({ $0.root["current-context"]?.text }).first, !name.isEmpty
        else {
            throw DiscoveryError(
                .invalidConfiguration,
                "\(first.path) has no current-context: set K8S_CONTEXT to one of \(names("contexts", files))"
            )
        }
        let (chosen, from) = try entry("contexts", "context", name, files)
        guard let clusterName = chosen["cluster"]?.text else {
            throw from.problem("the context \"\(name)\" names no cluster")
        }
        let (cluster, clusterFrom) = try entry("clusters", "cluster", clusterName, files)
        var access = try access(of: cluster, clusterName, clusterFrom)
        access.origin = "\(from.path), context \(name)"
        access.namespace = chosen["namespace"]?.text
        if let userName = chosen["user"]?.text, !userName.isEmpty {
            let (user, userFrom) = try entry("users", "user", userName, files)
            try add(user, userName, userFrom, to: &access)
        }
        return access
    }

    /// A file, and what paths in it are relative to.
    private struct Source {
        let path: String
        let root: DocumentNode

        init(_ path: String) throws(DiscoveryError) {
            self.path = path
            let text = try SmallFile.text(path)
            do throws(DocumentProblem) {
                root = try DocumentNode.read(text, file: path)
            } catch {
                throw DiscoveryError(.invalidFile, "\(path): \(error)")
            }
            guard case .mapping = root.value else {
                throw DiscoveryError(
                    .invalidFile,
                    "\(path) is no kubeconfig: \(root.summary) where a mapping is expected"
                )
            }
        }

        func problem(_ message: String) -> DiscoveryError {
            DiscoveryError(.invalidConfiguration, "\(path): \(message)")
        }

        func absolute(_ file: String) -> String {
            guard !file.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return file }
            return path[...slash] + file
        }

        /// `key-data` (base64), else `key` (a path).
        func material(_ node: DocumentNode, _ key: String) throws(DiscoveryError) -> KubernetesAccess.Material? {
            if let text = node["\(key)-data"]?.text, !text.isEmpty {
                guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty else {
                    throw problem("\(key)-data is not base64")
                }
                return .bytes(Array(data))
            }
            guard let file = node[key]?.text, !file.isEmpty else { return nil }
            let material = KubernetesAccess.Material.file(absolute(file))
            _ = try material.read()
            return material
        }
    }

    private static func entry(
        _ list: String,
        _ kind: String,
        _ name: String,
        _ files: [Source]
    ) throws(DiscoveryError) -> (DocumentNode, Source) {
        for file in files {
            guard case .sequence(let entries) = file.root[list]?.value else { continue }
            if let found = entries.first(where: { $0["name"]?.text == name }) {
                guard let content = found[kind] else { throw file.problem("the \(kind) \"\(name)\" says nothing") }
                return (content, file)
            }
        }
        throw DiscoveryError(
            .invalidConfiguration,
            "\(files[0].path): there is no \(kind) \"\(name)\"; there are \(names(list, files))"
        )
    }

    private static func names(_ list: String, _ files: [Source]) -> String {
        let names = files.flatMap { file -> [String] in
            guard case .sequence(let entries) = file.root[list]?.value else { return [] }
            return entries.compactMap { $0["name"]?.text }
        }
        return names.isEmpty ? "none" : names.prefix(20).joined(separator: ", ")
    }

    private static func access(
        of cluster: DocumentNode,
        _ name: String,
        _ file: Source
    ) throws(DiscoveryError) -> KubernetesAccess {
        guard var url = cluster["server"]?.text, url.hasPrefix("https://") || url.hasPrefix("http://") else {
            throw file.problem("the cluster \"\(name)\" has no server that begins with https:// or http://")
        }
        while url.hasSuffix("/") { url.removeLast() }
        if let skips = cluster["insecure-skip-tls-verify"]?.text, skips != "false" {
            throw file.problem(
                "the cluster \"\(name)\" has insecure-skip-tls-verify: the gateway verifies certificates; name the cluster's certificate-authority in its place"
            )
        }
        if cluster["proxy-url"]?.text?.isEmpty == false {
            throw file.problem(
                "the cluster \"\(name)\" has a proxy-url, which is not supported: run `kubectl proxy` and set K8S_API_URL in place of KUBECONFIG"
            )
        }
        var access = KubernetesAccess(url: url, origin: file.path)
        guard access.host?.isEmpty == false else {
            throw file.problem(
                "the cluster \"\(name)\" has a server without a host, or with a user before it: give the user a token in place of that"
            )
        }
        access.serverName = cluster["tls-server-name"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        guard access.serverName == nil || url.hasPrefix("https://") else {
            throw file.problem("the cluster \"\(name)\" has a tls-server-name, and a server without TLS")
        }
        access.authority = try file.material(cluster, "certificate-authority")
        return access
    }

    private static func add(
        _ user: DocumentNode,
        _ name: String,
        _ file: Source,
        to access: inout KubernetesAccess
    ) throws(DiscoveryError) {
        let instead =
            "give the user a token (`kubectl create token`) or a tokenFile, or a client certificate; or run `kubectl proxy` and set K8S_API_URL in place of KUBECONFIG"
        if let exec = user["exec"], !exec.isNull {
            let command = exec["command"]?.text.map { " \"\($0)\"" } ?? ""
            throw file.problem(
                "the user \"\(name)\" needs the exec plugin\(command), and the gateway runs no programs: \(instead)"
            )
        }
        if let provider = user["auth-provider"], !provider.isNull {
            let kind = provider["name"]?.text.map { " \"\($0)\"" } ?? ""
            throw file.problem(
                "the user \"\(name)\" needs the auth-provider\(kind), which is not supported: \(instead)"
            )
        }
        for key in ["username", "password", "as", "as-uid", "as-groups"] where user[key]?.text?.isEmpty == false {
            throw file.problem("the user \"\(name)\" has \(key), which is not supported: \(instead)")
        }
        // As for kubectl: the file goes before the text.
        if let path = user["tokenFile"]?.text, !path.isEmpty {
            access.token = .file(file.absolute(path))
        } else if let token = user["token"]?.text, !token.isEmpty {
            access.token = .bytes(Array(token.utf8))
        }
        access.certificate = try file.material(user, "client-certificate")
        access.key = try file.material(user, "client-key")
        guard (access.certificate == nil) == (access.key == nil) else {
            throw file.problem("the user \"\(name)\" has only one of client-certificate and client-key")
        }
        _ = try access.authorization()
        guard access.token == nil || access.isPrivate else {
            throw file.problem("the user \"\(name)\" has a token, which is not sent over http to \(access.url)")
        }
    }
}
