import Admin
import Core
import NIOCore
import Pods
import Queue
import Testing

@testable import Gateway

@Suite("The operators' listener of a running gateway")
struct AdminListenerTests {
    private let token = "0123456789abcdef"
    private let other = "fedcba9876543210"

    private func get(
        _ url: String,
        token: String? = nil,
        caFile: String? = nil
    ) async throws -> Int {
        // A client for each, so that each makes a connection of its own.
        let client = CurlClient()
        defer { client.shutdown() }
        var request = CurlRequest(url: url)
        request.caFile = caFile
        if let token { request.fields = [("Authorization", "Bearer \(token)")] }
        return try await client.send(request).status
    }

    @Test(
        "other than on loopback it does not start without a token",
        arguments: ["0.0.0.0", "::", "192.0.2.1", "host.example"]
    )
    func token(host: String) {
        #expect(refusal(["--admin-host", host]).joined().contains("is not loopback and there is no token"))
        let read = ["ADMIN_READ_TOKEN": token]
        #expect(refusal(["--admin-host", host], environment: read).joined().contains("and there is no token"))
        #expect(refusal(["--admin-host", host], environment: ["ADMIN_TOKEN": token]).isEmpty)
    }

    @Test(
        "loopback needs no token, however it is written",
        arguments: ["127.0.0.1", "127.1", "::1", "0:0:0:0:0:0:0:1"]
    )
    func loopback(host: String) {
        #expect(refusal(["--admin-host", host]).isEmpty)
        var configuration = AdminConfiguration()
        configuration.host = host
        #expect(configuration.isLoopback)
    }

    @Test("a reload takes no token from a listener that others reach until the restart that would move it")
    func reloaded() async throws {
        try await withFolder { folder in
            let (path, file) = ("\(folder)/token", "\(folder)/gateway.yaml")
            try writeFile("\(token)\n", to: path)
            try writeFile("admin_host: 0.0.0.0\nadmin_token_file: \(path)\n", to: file)
            let written = Written()
            let server = try await openGateway(["--config", file, "--database-path", "\(folder)/n.db"], written)
            try await running(server) { port in
                let url = "http://127.0.0.1:\(port)/admin/api/queue"
                #expect(try await get(url) == 401)
                try writeFile("admin_host: 127.0.0.1\nhold_timeout: 7\n", to: file)
                await server.tick()
                #expect(try await get(url) == 401)
                #expect(try await get(url, token: token) == 200)

                try writeFile("admin_host: 127.0.0.1\nadmin_token: \(other)\n", to: file)
                await server.tick()
                #expect(try await get(url) == 401)
                #expect(try await get(url, token: other) == 200)
            }
            #expect(
                written.lines.contains {
                    $0.contains("the last good one stays") && $0.contains("until a restart operators are listened to")
                }
            )
        }
    }

    @Test("a value for a route that is gone is given back, and no other is set for it")
    func goneRoute() async throws {
        try await withFolder { folder in
            let file = "\(folder)/gateway.yaml"
            try writeFile("routes: [{method: POST, path: /a}]\n", to: file)
            let server = try await openGateway(["--config", file, "--database-path", "\(folder)/n.db"], Written())
            try await running(server) { port in
                let client = AdminClient(
                    url: "http://127.0.0.1:\(port)",
                    token: nil,
                    caFile: nil,
                    http: CurlClient()
                )
                let path = "/admin/api/routes/\(AdminClient.encoded("POST /a"))"
                func set(_ change: RouteOrder.Change<Double>) async throws(GatewayError) -> RoutePayload? {
                    let answer = try await client.call("PATCH", path, body: RouteOrder(holdTimeout: change))
                    return try client.read(RoutePayload?.self, from: answer)
                }
                #expect(try await set(.to(5))?.holdTimeout == 5)
                try writeFile("hold_timeout: 9\n", to: file)
                await server.tick()
                await #expect(throws: GatewayError.self) { try await set(.to(6)) }
                let gone = try await set(.givenBack)
                #expect(gone == nil)
                #expect(RoutesCommand.oneText([("a:1", gone)], .plain).hasPrefix("a:1: the route is gone"))
                #expect(server.parts.queue.settings.controls.holdTimeouts.isEmpty)
                // There is nothing of it any more.
                await #expect(throws: GatewayError.self) { try await set(.givenBack) }
            }
        }
    }

    @Test("a token file that changed counts at once; an empty one is refused, and the last good one stays")
    func tokenFile() async throws {
        try await withFolder { folder in
            let path = "\(folder)/token"
            try writeFile("\(token)\n", to: path)
            let written = Written()
            let server = try await openGateway(
                ["--admin-token-file", path, "--database-path", "\(folder)/n.db"],
                written
            )
            try await running(server) { port in
                let url = "http://127.0.0.1:\(port)/admin/api/queue"
                #expect(try await get(url) == 401)
                #expect(try await get(url, token: token) == 200)
                #expect(try await get(url, token: other) == 401)

                try writeFile("\(token)\n\(other)\n", to: path)
                await server.tick()
                #expect(try await get(url, token: token) == 200)
                #expect(try await get(url, token: other) == 200)

                try writeFile("\(other)\n", to: path)
                await server.tick()
                #expect(try await get(url, token: token) == 401)

                try writeFile("\n", to: path)
                await server.tick()
                #expect(try await get(url) == 401)
                #expect(try await get(url, token: other) == 200)
            }
            #expect(
                written.lines.contains { $0.contains("the last good one stays") && $0.contains("the file is empty") }
            )
            #expect(written.lines.allSatisfy { !$0.contains(token) && !$0.contains(other) })
        }
    }

    @Test("it speaks TLS, and a renewed certificate is used without a restart; one that does not fit its key is not")
    func renewed() async throws {
        try await withFolder { folder in
            let (certificate, key) = ("\(folder)/tls.crt", "\(folder)/tls.key")
            let authorities = ["\(folder)/1.pem", "\(folder)/2.pem"]
            let servers = [TestCertificates.first, TestCertificates.second]
            for (path, server) in zip(authorities, servers) { try writeFile(server.authority, to: path) }
            try writeFile(servers[0].certificate, to: certificate)
            try writeFile(servers[0].key, to: key)
            let written = Written()
            let server = try await openGateway(
                [
                    "--admin-tls-cert-file", certificate, "--admin-tls-key-file", key, "--database-path",
                    "\(folder)/n.db",
                ],
                written
            )
            try await running(server) { port in
                let url = "https://127.0.0.1:\(port)/health"
                func isShown(_ index: Int) async -> Bool {
                    let status = try? await get(url, caFile: authorities[index])
                    return status == 200
                }
                #expect(await isShown(0))
                #expect(await !isShown(1))
                await #expect(throws: PodsError.self) { try await get("http://127.0.0.1:\(port)/health") }

                try writeFile(servers[1].certificate, to: certificate)
                await server.tick()
                #expect(await isShown(0))
                try writeFile(servers[1].key, to: key)
                await server.tick()
                #expect(await isShown(1))
                #expect(await !isShown(0))
            }
            #expect(written.lines.contains { $0.contains("is not the key of the certificate") })
        }
    }

    @Test(
        "a certificate that cannot be used stops the start, and is told with its file",
        arguments: [("", "ADMIN_TLS_CERT_FILE: no certificates (PEM) in"), (nil, "ADMIN_TLS_CERT_FILE")]
            as [(String?, String)]
    )
    func badCertificate(text: String?, message: String) async throws {
        try await withFolder { folder in
            let (certificate, key) = ("\(folder)/tls.crt", "\(folder)/tls.key")
            if let text { try writeFile(text, to: certificate) }
            try writeFile(TestCertificates.first.key, to: key)
            let error = await #expect(throws: GatewayError.self) {
                _ = try await openGateway(
                    [
                        "--admin-tls-cert-file", certificate, "--admin-tls-key-file", key, "--database-path",
                        "\(folder)/n.db",
                    ],
                    Written()
                )
            }
            #expect(error?.code == .configuration)
            #expect(error?.message.contains(message) == true && error?.message.contains(certificate) == true)
        }
    }
}
