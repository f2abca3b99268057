import Core
import Discovery
import Foundation
import NIOSSL
import Testing

@Suite("How the API server is reached")
struct KubernetesAccessTests {
    /// A folder that goes with the test.
    private final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.appending(path: "access-\(UUID().uuidString)").path

        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        @discardableResult
        func write(_ name: String, _ text: String) throws -> String {
            try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
            return "\(path)/\(name)"
        }
    }

    private static func kubeconfig(_ url: String, user: String, cluster: String = "", context: String = "") -> String {
        """
        apiVersion: v1
        kind: Config
        current-context: main
        contexts:
        - {name: main, context: {cluster: c, user: u\(context)}}
        - {name: other, context: {cluster: c, user: u, namespace: elsewhere}}
        clusters:
        - name: c
          cluster: {server: "\(url)"\(cluster)}
        users:
        - name: u
          user: {\(user)}
        """
    }

    @Test("a kubeconfig: context, namespace, token, and files beside it")
    func kubeconfig() throws {
        let folder = try Folder()
        try folder.write("ca.pem", "CA")
        let path = try folder.write(
            "config",
            Self.kubeconfig(
                "https://k8s.example:6443/",
                user: "token: abc, client-certificate-data: Q0VSVA==, client-key-data: S0VZ",
                cluster: ", certificate-authority: ca.pem, tls-server-name: kubernetes",
                context: ", namespace: ml"
            )
        )
        let access = try KubernetesLocation(kubeconfig: path).resolve()
        #expect(access.url == "https://k8s.example:6443" && access.namespace == "ml")
        #expect(access.authority == .file("\(folder.path)/ca.pem") && access.serverName == "kubernetes")
        #expect(access.token == .bytes(Array("abc".utf8)))
        #expect(access.certificate == .bytes(Array("CERT".utf8)) && access.key == .bytes(Array("KEY".utf8)))
        #expect(access.origin == "\(path), context main")
        #expect(try KubernetesLocation(kubeconfig: path, context: "other").resolve().namespace == "elsewhere")
        // Two files: the first that says something holds.
        let first = try folder.write("first", "current-context: other\n")
        #expect(try KubernetesLocation(kubeconfig: "\(first):\(path)").resolve().namespace == "elsewhere")
        // One that is not there is passed over where another is.
        #expect(try KubernetesLocation(kubeconfig: "/nowhere:\(path)").resolve().namespace == "ml")
    }

    @Test(
        "what the gateway does not do is refused by name, with what to do instead",
        arguments: [
            (
                "exec: {command: aws, args: [eks]}", "",
                "needs the exec plugin \"aws\", and the gateway runs no programs: give the user a token"
            ),
            ("auth-provider: {name: gcp}", "", "needs the auth-provider \"gcp\""),
            ("username: a, password: b", "", "has username, which is not supported"),
            ("as: admin", "", "has as, which is not supported"),
            (
                "token: abc", ", insecure-skip-tls-verify: true",
                "has insecure-skip-tls-verify: the gateway verifies certificates"
            ),
            ("token: abc", ", proxy-url: \"http://p\"", "has a proxy-url, which is not supported: run `kubectl proxy`"),
            ("client-certificate-data: QQ==", "", "has only one of client-certificate and client-key"),
            ("client-certificate-data: \"*\", client-key-data: QQ==", "", "client-certificate-data is not base64"),
            ("token: \"a b\"", "", "has characters that no token has"),
            ("tokenFile: nowhere", "", "nowhere cannot be read: No such file or directory"),
            ("token: abc", ", certificate-authority: gone.pem", "gone.pem cannot be read"),
        ]
    )
    func refused(user: String, cluster: String, message: String) throws {
        let folder = try Folder()
        let path = try folder.write("config", Self.kubeconfig("https://k8s.example", user: user, cluster: cluster))
        let error = #expect(throws: DiscoveryError.self) { try KubernetesLocation(kubeconfig: path).resolve() }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "nothing")")
    }

    @Test("a kubeconfig that leads nowhere says where it ends")
    func dangling() throws {
        let folder = try Folder()
        func message(_ text: String, context: String? = nil) throws -> String {
            let path = try folder.write("config", text)
            let error = #expect(throws: DiscoveryError.self) {
                try KubernetesLocation(kubeconfig: path, context: context).resolve()
            }
            return error?.message ?? ""
        }
        let good = Self.kubeconfig("https://k8s.example", user: "token: abc")
        #expect(try message(good, context: "prod").contains("there is no context \"prod\"; there are main, other"))
        #expect(try message("contexts: []").contains("has no current-context: set K8S_CONTEXT to one of none"))
        #expect(try message("- a").contains("is no kubeconfig: a list"))
        #expect(try message("{").contains("config: line"))
        #expect(
            try message(Self.kubeconfig("k8s.example", user: "token: a")).contains("has no server that begins with")
        )
        for url in ["http://10.1.2.3", "http://localhost.example.com"] {
            #expect(try message(Self.kubeconfig(url, user: "token: a")).contains("is not sent over http"))
        }
        let inClear = Self.kubeconfig("http://127.0.0.1", user: "token: a", cluster: ", tls-server-name: k8s")
        #expect(try message(inClear).contains("has a tls-server-name, and a server without TLS"))
        for url in ["https://me:secret@k8s.example", "https://"] {
            #expect(try message(Self.kubeconfig(url, user: "")).contains("a server without a host, or with a user"))
        }
        let error = #expect(throws: DiscoveryError.self) { try KubernetesLocation(kubeconfig: "/nowhere").resolve() }
        #expect(error?.message == "/nowhere cannot be read: No such file or directory")
    }

    @Test("in a cluster: address of either family, CA, token and namespace of the service account")
    func inCluster() throws {
        let folder = try Folder()
        try folder.write("ca.crt", "CA")
        try folder.write("token", "abc\n")
        try folder.write("namespace", "ml\n")
        var location = KubernetesLocation(environment: [
            "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443",
        ])
        location.accountFolder = folder.path
        let access = try location.resolve()
        #expect(access.url == "https://[fd00::1]:6443" && access.namespace == "ml")
        #expect(access.token == .file("\(folder.path)/token") && access.authority == .file("\(folder.path)/ca.crt"))
        location.environment = ["KUBERNETES_SERVICE_HOST": "10.0.0.1"]
        #expect(try location.resolve().url == "https://10.0.0.1:443")
        location.accountFolder = "/nowhere"
        let error = #expect(throws: DiscoveryError.self) { try location.resolve() }
        #expect(error?.message.contains("the pod needs a service account") == true)
        location.environment = [:]
        let outside = #expect(throws: DiscoveryError.self) { try location.resolve() }
        #expect(outside?.message.contains("set KUBECONFIG to a kubeconfig, or K8S_API_URL") == true)
    }

    @Test("a token that rotates is read again for every call; one that expired is told, and a new one takes over")
    func rotation() async throws {
        let folder = try Folder()
        let tokenFile = try folder.write("token", "first")
        let world = try await KubernetesWorld([APIPod("a")]) { _ in
        } location: { server in
            KubernetesLocation(
                kubeconfig: try folder.write("config", Self.kubeconfig(server.url, user: "tokenFile: \(tokenFile)"))
            )
        }
        world.server.demand(token: "first")
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.problem == nil)
        var requests = world.server.requests.makeAsyncIterator()
        for _ in 0..<2 { #expect(await requests.next()?.authorization == "Bearer first") }
        // In good time: nothing is noticed.
        try folder.write("token", "second")
        world.server.demand(token: "second")
        world.server.endWatches()
        #expect(await requests.next()?.authorization == "Bearer second")
        // Too late.
        world.server.demand(token: "third")
        world.server.cut()
        let expired = await updates.first { $0.problem != nil }
        #expect(expired?.pods.count == 1)
        #expect(expired?.problem?.contains("does not accept the credentials of \(folder.path)/config") == true)
        try folder.write("token", "third")
        #expect(await updates.first { $0.problem == nil } != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("TLS both ways: with the cluster's authority and a client's certificate all is well, with another it is told")
    func certificates() async throws {
        let folder = try Folder()
        let cluster = try Authority(folder.path, "cluster")
        let stranger = try Authority(folder.path, "stranger")
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(cluster.serverCertificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: cluster.serverKey, format: .pem))
        )
        tls.trustRoots = .file(cluster.certificate)
        tls.certificateVerification = .noHostnameVerification
        let context = try NIOSSLContext(configuration: tls)
        for (authority, client, name, isGood) in [
            (cluster, cluster, ", tls-server-name: kubernetes", true),
            (stranger, cluster, ", tls-server-name: kubernetes", false),
            (cluster, stranger, ", tls-server-name: kubernetes", false),
            // The server's certificate is good, and another host's: it has no address in it.
            (cluster, cluster, "", false), (cluster, cluster, ", tls-server-name: elsewhere", false),
        ] {
            let world = try await KubernetesWorld([APIPod("a")], tls: context) { _ in
            } location: { server in
                let user = "client-certificate: \(client.serverCertificate), client-key: \(client.serverKey)"
                let path = try folder.write(
                    "config",
                    Self.kubeconfig(
                        server.url,
                        user: user,
                        cluster: ", certificate-authority: \(authority.certificate)\(name)"
                    )
                )
                return KubernetesLocation(kubeconfig: path)
            }
            let updates = Updates(of: world.discovery)
            let first = await updates.next()
            #expect((first?.pods.count == 1) == isGood, "\(first?.problem ?? "")")
            #expect((first?.problem == nil) == isGood)
            if !isGood { #expect(first?.problem?.contains("cannot be reached") == true) }
            // Whom it does not believe is asked less often than who is not there.
            if !isGood, client.certificate == cluster.certificate {
                let error = await #expect(throws: DiscoveryError.self) { try await world.look() }
                #expect(error?.code == .untrusted, "\(error?.message ?? "")")
            }
            _ = await updates.end()
            try await world.stop()
        }
    }

    @Test("a key, a certificate or an authority that cannot be used is told by its file, before and while it is used")
    func unusable() async throws {
        let folder = try Folder()
        let cluster = try Authority(folder.path, "cluster")
        let stranger = try Authority(folder.path, "stranger")
        let nothing = try folder.write("nothing.pem", "nothing")
        let server = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(cluster.serverCertificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: cluster.serverKey, format: .pem))
            )
        )
        let (certificate, key) = (cluster.serverCertificate, cluster.serverKey)
        for (authority, certificate, key, message) in [
            (cluster.certificate, certificate, key, nil),
            (nothing, certificate, key, "there is no certificate (PEM) in \(nothing)"),
            (cluster.certificate, nothing, key, "there is no certificate (PEM) in \(nothing)"),
            (
                cluster.certificate, certificate, nothing,
                "there is no private key (PEM, without a passphrase) in \(nothing)"
            ),
            (
                cluster.certificate, certificate, stranger.serverKey,
                "\(stranger.serverKey) is not the key of the certificate in \(certificate)"
            ),
        ] {
            var location = KubernetesLocation()
            let world = try await KubernetesWorld([APIPod("a")], tls: server) { _ in
            } location: { server in
                let path = try folder.write(
                    "config",
                    Self.kubeconfig(
                        server.url,
                        user: "client-certificate: \(certificate), client-key: \(key)",
                        cluster: ", certificate-authority: \(authority), tls-server-name: kubernetes"
                    )
                )
                location = KubernetesLocation(kubeconfig: path)
                return location
            }
            func told(_ body: () async throws -> Void) async -> DiscoveryError? {
                do {
                    try await body()
                    return nil
                } catch {
                    return error as? DiscoveryError
                }
            }
            let before = await told { try location.resolve().checkCertificates() }
            #expect(before?.message == message && (before == nil || before?.code == .invalidConfiguration))
            // A file that is being replaced, which is looked at again soon.
            let during = await told { try await world.look() }
            #expect(during?.message == message && (during == nil || during?.code == .invalidFile))
            try await world.stop()
        }
    }

    /// An authority of its own and a certificate for `kubernetes`, made on the spot by openssl.
    private struct Authority {
        let certificate, serverCertificate, serverKey: String

        init(_ folder: String, _ name: String) throws {
            certificate = "\(folder)/\(name)-ca.pem"
            serverCertificate = "\(folder)/\(name).pem"
            serverKey = "\(folder)/\(name).key"
            let new = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            ]
            try Self.openssl(
                new + ["-subj", "/CN=\(name)", "-keyout", "\(folder)/\(name)-ca.key", "-out", certificate]
            )
            try Self.openssl(
                new + [
                    "-subj", "/CN=kubernetes", "-addext", "subjectAltName=DNS:kubernetes", "-addext",
                    "basicConstraints=critical,CA:FALSE", "-CA", certificate, "-CAkey", "\(folder)/\(name)-ca.key",
                    "-keyout", serverKey, "-out", serverCertificate,
                ]
            )
        }

        private static func openssl(_ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/openssl")
            process.arguments = arguments
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
        }
    }
}
