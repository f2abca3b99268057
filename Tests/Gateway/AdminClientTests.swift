import Admin
import Core
import NIOCore
import NIOPosix
import Pods
import Testing

@testable import Gateway

@Suite("Commands and a gateway that runs", .timeLimit(.minutes(2)))
struct AdminClientTests {
    private let http = CurlClient()

    private func client(
        _ port: Int,
        token: String? = nil,
        scheme: String = "http",
        caFile: String? = nil
    ) -> AdminClient {
        AdminClient(url: "\(scheme)://127.0.0.1:\(port)", token: token, caFile: caFile, http: http)
    }

    private func problem(_ client: AdminClient, _ path: String) async -> GatewayError? {
        await #expect(throws: GatewayError.self) { _ = try await client.call("GET", path) }
    }

    @Test("they read what it answers, change what they say, and hear why not")
    func calls() async throws {
        try await withFolder { folder in
            let server = try await openGateway(["--database-path", "\(folder)/n.db"], Written())
            try await running(server) { port in
                let client = client(port)
                let queue = try client.read(QueuePayload.self, from: try await client.call("GET", "/admin/api/queue"))
                #expect(
                    QueueCommand.text([(nil, queue)], .plain)
                        == "nothing waits; 0 run\nin the last 15 minutes nothing ended\n"
                )
                #expect(QueueCommand.text([("a:1", queue)], .plain).hasPrefix("a:1: nothing waits; 0 run\na:1: in"))

                let order = RouteOrder(holdTimeout: .to(12.5))
                let answer = try await client.call("PATCH", "/admin/api/routes/default", body: order)
                let route = try client.read(RoutePayload.self, from: answer)
                #expect(route.holdTimeout == 12.5)
                #expect(RoutesCommand.oneText([(nil, route as RoutePayload?)], .plain).contains("12.5 s  operator"))

                let requests = try await client.call(
                    "GET",
                    "/admin/api/requests",
                    query: [("state", "failed"), ("text", "a&b")]
                )
                let page = try client.read(RequestsPayload.self, from: requests)
                #expect(RequestsListCommand.text([(nil, page)], limit: 20, .plain) == "no request matches\n")

                let missing = await problem(client, "/admin/api/requests/0AMCGAA6W0000")
                #expect(missing?.code == .refused)
                #expect(missing?.message.contains("there is no request 0AMCGAA6W0000") == true)
                let bad = await problem(client, "/admin/api/requests?state=nothing")
                #expect(bad?.code == .refused)
                #expect(bad?.message.contains("`state`") == true)
            }
        }
    }

    @Test("a gateway that asks for a token is told of by what to give it")
    func tokens() async throws {
        try await withFolder { folder in
            let token = "\(folder)/token"
            try writeFile("0123456789abcdef", to: token)
            let server = try await openGateway(
                ["--database-path", "\(folder)/n.db", "--admin-token-file", token],
                Written()
            )
            try await running(server) { port in
                let none = await problem(client(port), "/admin/api/queue")
                #expect(none?.code == .refused)
                #expect(none?.message.contains("ADMIN_TOKEN_FILE") == true)
                let wrong = await problem(client(port, token: "fedcba9876543210"), "/admin/api/queue")
                #expect(wrong?.message.contains("was not accepted") == true)
                #expect(wrong?.message.contains("fedcba") == false)
                _ = try await client(port, token: "0123456789abcdef").call("GET", "/admin/api/queue")
            }
        }
    }

    @Test("nobody there, the wrong port, a certificate of nobody known: each is told with what to do")
    func unreachable() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(
            host: "127.0.0.1",
            port: 0
        ).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        let nobody = await problem(client(port), "/admin/api/queue")
        #expect(nobody?.code == .unreachable)
        #expect(nobody?.message.hasPrefix("no gateway answers at http://127.0.0.1:\(port): ") == true)
        #expect(nobody?.message.hasSuffix("; set ADMIN_URL or --admin-url") == true)

        try await withFolder { folder in
            for (name, text) in [
                ("tls.crt", TestCertificates.first.certificate), ("tls.key", TestCertificates.first.key),
                ("ca.pem", TestCertificates.first.authority), ("other.pem", TestCertificates.second.authority),
            ] {
                try writeFile(text, to: "\(folder)/\(name)")
            }
            let server = try await openGateway(
                [
                    "--database-path", "\(folder)/n.db", "--admin-tls-cert-file", "\(folder)/tls.crt",
                    "--admin-tls-key-file",
                    "\(folder)/tls.key",
                ],
                Written()
            )
            let clients = server.address.port ?? 0
            try await running(server) { port in
                _ = try await client(port, scheme: "https", caFile: "\(folder)/ca.pem").call("GET", "/admin/api/queue")
                let other = await problem(
                    client(port, scheme: "https", caFile: "\(folder)/other.pem"),
                    "/admin/api/queue"
                )
                #expect(other?.code == .unreachable)
                #expect(other?.message.contains("--ca-file") == true, "\(other?.message ?? "")")
                // No certificate is in it.
                let none = await problem(client(port, scheme: "https", caFile: "\(folder)/tls.key"), "/admin/api/queue")
                #expect(none?.message.hasPrefix("no TLS with https://127.0.0.1:\(port): ") == true)
                let traffic = await problem(client(clients), "/admin/api/queue")
                #expect(traffic?.message.contains("ADMIN_PORT") == true, "\(traffic?.message ?? "")")
            }
        }
    }

    @Test("of several gateways each is asked, and the one that has something is found")
    func several() async throws {
        try await withFolder { folder in
            let server = try await openGateway(["--database-path", "\(folder)/n.db"], Written())
            try await running(server) { port in
                let fleet = AdminFleet(gateways: [client(1), client(port)])
                let replies = await fleet.each { gateway throws(GatewayError) in
                    try await gateway.call("GET", "/admin/api/pods").status
                }
                #expect(replies.map { try? $0.result.get() } == [nil, 200])
                let (found, _) = try await fleet.first { gateway throws(GatewayError) in
                    try await gateway.call("GET", "/admin/api/queue")
                }
                #expect(found.url.hasSuffix(":\(port)"))
                // One that cannot be asked may have it.
                let error = await #expect(throws: GatewayError.self) {
                    _ = try await fleet.first { gateway throws(GatewayError) in
                        try await gateway.call("GET", "/admin/api/requests/0AMCGAA6W0000")
                    }
                }
                #expect(error?.code == .unreachable)
            }
        }
    }
}
