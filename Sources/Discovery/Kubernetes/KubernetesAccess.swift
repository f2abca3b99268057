import Pods

/// Where the API server is, whom to believe to be it, and who the gateway says it is.
package struct KubernetesAccess: Sendable, Equatable {
    /// Something secret or not, in memory or in a file that is read each time, since what is in it changes.
    package enum Material: Sendable, Equatable {
        case bytes([UInt8])
        case file(String)

        func read() throws(DiscoveryError) -> [UInt8] {
            switch self {
            case .bytes(let bytes): bytes
            case .file(let path): try SmallFile.bytes(path)
            }
        }
    }

    /// Scheme, host and port; a path where the API is below one. Without a slash at its end.
    package var url: String
    /// The name in the server's certificate, where it is not the URL's host.
    package var serverName: String?
    /// Certificates (PEM) to verify the server's against; nil for the system's.
    package var authority: Material?
    /// The client's certificate and key (PEM).
    package var certificate: Material?
    package var key: Material?
    package var token: Material?
    /// Where pods are looked for where nothing else is said.
    package var namespace: String?
    /// Where all this is from, in words.
    package var origin: String

    package init(url: String, origin: String) {
        self.url = url
        self.origin = origin
    }

    /// The URL's host, in lower case and without brackets; nil where there is none, or a user stands before it.
    var host: String? {
        guard let scheme = url.utf8.firstRange(of: "://".utf8) else { return nil }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard !authority.contains("@"), !authority.contains("\\") else { return nil }
        let isBracketed = authority.hasPrefix("[")
        guard isBracketed else { return authority.prefix { $0 != ":" }.lowercased() }
        guard let end = authority.firstIndex(of: "]") else { return nil }
        return authority[..<end].dropFirst().lowercased()
    }

    /// Whether nobody else can read what is sent: TLS, or this machine's own addresses.
    var isPrivate: Bool {
        guard !url.hasPrefix("https://") else { return true }
        switch host {
        case "localhost", "::1": return true
        case let host?:
            let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
            return numbers.count == 4 && !numbers.contains(nil) && numbers[0] == 127
        case nil: return false
        }
    }

    /// The value of `Authorization`.
    /// - Throws: A ``DiscoveryError`` where the token cannot be read, or is none.
    func authorization() throws(DiscoveryError) -> String? {
        guard let token else { return nil }
        let bytes = try token.read()
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        let text = bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        guard !text.isEmpty, text.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw DiscoveryError(.invalidFile, "the token of \(origin) is empty, or has characters that no token has")
        }
        return "Bearer \(String(decoding: text, as: UTF8.self))"
    }

    func tls() throws(DiscoveryError) -> CurlTLS? {
        guard url.hasPrefix("https://") else { return nil }
        return CurlTLS(
            authority: try authority?.read(),
            certificate: try certificate?.read(),
            key: try key?.read()
        )
    }

    /// Finds out whether certificates and key can be used: at the start, and when TLS fails, since a file may have been replaced since.
    /// - Throws: A ``DiscoveryError`` that names the file, or the place in the kubeconfig.
    package func checkCertificates() throws(DiscoveryError) {
        guard let tls = try tls() else { return }
        func place(_ material: Material?, _ key: String) -> String {
            guard case .file(let path) = material else { return "\(key)-data of \(origin)" }
            return path
        }
        do throws(PodsError) {
            try tls.check(
                authority: place(authority, "certificate-authority"),
                certificate: place(certificate, "client-certificate"),
                key: place(key, "client-key")
            )
        } catch {
            throw DiscoveryError(.invalidConfiguration, error.message)
        }
    }
}

/// How ``KubernetesAccess`` is found: a URL, else a kubeconfig, else what Kubernetes gives a pod.
package struct KubernetesLocation: Sendable {
    /// `K8S_API_URL`
    package var apiURL: String?
    /// `KUBECONFIG`: a path, or several with colons between them.
    package var kubeconfig: String?
    /// `K8S_CONTEXT`; nil for the kubeconfig's own choice.
    package var context: String?
    /// `KUBERNETES_SERVICE_HOST`, `KUBERNETES_SERVICE_PORT`
    package var environment: [String: String]
    /// Where Kubernetes puts a service account's token.
    package var accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

    package init(
        apiURL: String? = nil,
        kubeconfig: String? = nil,
        context: String? = nil,
        environment: [String: String] = [:]
    ) {
        self.apiURL = apiURL
        self.kubeconfig = kubeconfig
        self.context = context
        self.environment = environment
    }

    /// - Throws: A ``DiscoveryError`` that says what is missing, or is not supported and what to do in its place.
    package func resolve() throws(DiscoveryError) -> KubernetesAccess {
        if let apiURL {
            var url = apiURL
            while url.hasSuffix("/") { url.removeLast() }
            return KubernetesAccess(url: url, origin: "K8S_API_URL")
        }
        if let kubeconfig { return try Kubeconfig.access(paths: kubeconfig, context: context) }
        return try inCluster()
    }

    private func inCluster() throws(DiscoveryError) -> KubernetesAccess {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty else {
            throw DiscoveryError(
                .invalidConfiguration,
                "this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set): set KUBECONFIG to a kubeconfig, or K8S_API_URL to what `kubectl proxy` serves"
            )
        }
        let port = environment["KUBERNETES_SERVICE_PORT"] ?? "443"
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw DiscoveryError(.invalidConfiguration, "KUBERNETES_SERVICE_PORT is \"\(port)\", which is no port")
        }
        let authority = host.contains(":") ? "[\(host)]" : host
        var access = KubernetesAccess(url: "https://\(authority):\(number)", origin: "the pod's service account")
        access.authority = .file("\(accountFolder)/ca.crt")
        access.token = .file("\(accountFolder)/token")
        do throws(DiscoveryError) {
            _ = try access.tls()
            _ = try access.authorization()
        } catch {
            throw DiscoveryError(
                .invalidConfiguration,
                "\(error.message): the pod needs a service account (serviceAccountName, automountServiceAccountToken: true)"
            )
        }
        if let text = try? SmallFile.text("\(accountFolder)/namespace") {
            let name = text.filter { !$0.isWhitespace }
            access.namespace = name.isEmpty ? nil : name
        }
        return access
    }
}
