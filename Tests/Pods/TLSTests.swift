import Core
import Discovery
import Logging
import NIOCore
import Pods
import Testing

@Suite("Pods behind TLS", .eachCodec)
struct TLSTests {
    private func pod(_ server: TestServer, host: String = "127.0.0.1") -> Pod {
        Pod(
            key: server.port * 2 + (host == "localhost" ? 1 : 0),
            description: PodDescription(scheme: .https, host: host, port: server.port)
        )
    }

    @Test("the certificate is verified against the configured name, and the connection is used again")
    func serverName() async throws {
        let server = try await TestServer(tls: TestCertificates.server()) { $0.answer("\($0.body.count)") }
        try await TestCertificates.withFile(TestCertificates.authority) { path in
            let upstream = try Upstream {
                $0.caFile = path
                $0.tlsServerName = "pods.example"
            }
            let pod = pod(server)
            for size in [0, 1000, 200_000] {
                let body = RequestBody.memory(ByteBuffer(repeating: 1, count: size))
                #expect(try await upstream.answer(Upstream.request(.post, body: body), from: pod).body == "\(size)")
            }
            #expect(server.accepted == 1)
        }
        try await server.stop()
    }

    @Test("a connection that is being closed gets no request, however long the pod takes to close it too")
    func closing() async throws {
        let server = try await TestServer(tls: TestCertificates.server()) { exchange in
            // It reads no more, so it does not answer the end of TLS either.
            if exchange.connection == 0 { _ = exchange.channel.setOption(.autoRead, value: false) }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(exchange.connection)"
            exchange.write(exchange.connection == 0 ? answer + answer : answer)
        }
        try await TestCertificates.withFile(TestCertificates.authority) { path in
            let upstream = try Upstream {
                $0.caFile = path
                $0.tlsServerName = "pods.example"
            }
            let pod = pod(server)
            #expect(try await upstream.answer(from: pod).body == "0")
            #expect(try await upstream.answer(from: pod).body == "1")
        }
        try await server.stop()
    }

    @Test("without a configured name it is the pod's own")
    func hostName() async throws {
        let server = try await TestServer(tls: TestCertificates.server()) { $0.answer() }
        try await TestCertificates.withFile(TestCertificates.authority) { path in
            let upstream = try Upstream { $0.caFile = path }
            #expect(try await upstream.answer(from: pod(server, host: "localhost")).body == "ok")
            // The certificate is not for an address.
            let error = await #expect(throws: PodCallFailure.self) { try await upstream.answer(from: pod(server)) }
            #expect(error?.kind == .connectFailed, "\(error?.description ?? "")")
        }
        try await server.stop()
    }

    @Test(
        "a certificate for another name, or of an unknown authority, gets no byte of a request",
        arguments: [true, false]
    )
    func refused(hasAuthority: Bool) async throws {
        let server = try await TestServer(tls: TestCertificates.server()) { _ in
            #expect(Bool(false), "nothing is sent")
        }
        try await TestCertificates.withFile(TestCertificates.authority) { path in
            let upstream = try Upstream {
                $0.caFile = hasAuthority ? path : nil
                $0.tlsServerName = hasAuthority ? "other.example" : "pods.example"
            }
            let error = await #expect(throws: PodCallFailure.self) { try await upstream.answer(from: pod(server)) }
            #expect(error?.kind == .connectFailed, "\(error?.description ?? "")")
        }
        try await server.stop()
    }

    @Test("a pod that asks for the gateway's certificate gets it, with requests and polls")
    func clientCertificate() async throws {
        let server = try await TestServer(tls: TestCertificates.server(asksClients: true)) { exchange in
            exchange.answer(#"{"available_cpus":1,"available_gpus":0,"available_memory_gb":1}"#)
        }
        try await TestCertificates.withFile(TestCertificates.authority) { authority in
            try await TestCertificates.withFile(TestCertificates.certificate) { certificate in
                try await TestCertificates.withFile(TestCertificates.key) { key in
                    let files = ClientCertificateFiles(certificate: certificate, key: key)
                    let upstream = try Upstream {
                        $0.caFile = authority
                        $0.clientCertificate = files
                    }
                    let pod = pod(server, host: "localhost")
                    #expect(try await upstream.answer(from: pod).body.contains("available_cpus"))
                    let without = try Upstream { $0.caFile = authority }
                    // TLS 1.3 tells a client of it after its first bytes, which the pod has not read.
                    await #expect(throws: PodCallFailure.self) { try await without.answer(from: pod) }

                    let client = CurlClient()
                    var request = CurlRequest(url: "\(pod.description.url)/capacity")
                    request.caFile = authority
                    request.clientCertificate = files
                    #expect(try await client.send(request).status == 200)
                    request.clientCertificate = nil
                    await #expect(throws: PodsError.self) { try await client.send(request) }
                    client.shutdown()
                    let swapped = ClientCertificateFiles(certificate: certificate, key: authority)
                    #expect(throws: PodsError.self) { try Upstream { $0.clientCertificate = swapped } }
                }
            }
        }
        try await server.stop()
    }

    @Test("a pod that does not speak TLS has not seen a byte of the request")
    func noTLS() async throws {
        let server = try await TestServer(
            onConnection: {
                $0.writeAndFlush(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n"), promise: nil)
            },
            handler: { _ in }
        )
        let error = await #expect(throws: PodCallFailure.self) { try await Upstream().answer(from: pod(server)) }
        #expect(error?.kind == .connectFailed, "\(error?.description ?? "")")
        await server.closed(1)
        try await server.stop()
    }

    @Test("an https pod is polled with the same authority and name")
    func polled() async throws {
        let server = try await TestServer(tls: TestCertificates.server()) { exchange in
            exchange.answer(#"{"available_cpus":1,"available_gpus":0,"available_memory_gb":1}"#)
        }
        try await TestCertificates.withFile(TestCertificates.authority) { path in
            for (name, message) in [("pods.example", nil), ("other.example", "other.example")] as [(String, String?)] {
                var configuration = PodsConfiguration()
                configuration.caFile = path
                configuration.tlsServerName = name
                let events = Mailbox<PodDirectoryTests.Event>()
                let client = CurlClient()
                let directory = PodDirectory(
                    discovery: StaticDiscovery(backends: [pod(server).description]),
                    observer: PodDirectoryTests.Observer(events: events),
                    client: client,
                    configuration: configuration,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                )
                let task = Task { try await directory.run() }
                _ = await events.next()
                switch await events.next() {
                case .sampled(_, let report):
                    #expect(message == nil)
                    #expect(report.available.cpus == 1000)
                case .failed(_, let problem):
                    #expect(message != nil && problem.contains(message!), "\(problem)")
                case .pods:
                    #expect(Bool(false), "the pods did not change")
                }
                task.cancel()
                try await task.value
                client.shutdown()
            }
        }
        try await server.stop()
    }

    @Test("a certificate file that is missing or holds none stops the start", arguments: ["", "no certificate", nil])
    func badFile(text: String?) async throws {
        func check(_ path: String) {
            let error = #expect(throws: PodsError.self) { try Upstream { $0.caFile = path } }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.contains(path) == true)
        }
        if let text {
            try await TestCertificates.withFile(text) { check($0) }
        } else {
            check("/no/such/file.pem")
        }
    }
}
