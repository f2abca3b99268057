import Admin
import Core
import NIOCore
import Pods
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
