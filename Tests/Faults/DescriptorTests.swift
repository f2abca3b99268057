import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import TaskPod
import Testing

@Suite("File descriptors run out", .timeLimit(.minutes(2)))
struct DescriptorTests {
    private func connect(_ port: Int, _ group: any EventLoopGroup) async throws -> any Channel {
        try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get()
    }

    @Test("idle connections make room for new clients; where none is idle, new ones are told 503")
    func runsOut() async throws {
        try await withFolder { folder in
            // Holds whatever comes.
            try await withPod(cpus: 0) { pod, group in
                let end = try await RunningGateway.run(
                    folder: folder,
                    backends: [pod.url],
                    flags: ["--max-connections=1000"],
                    descriptors: 120
                ) { gateway in
                    let client = LoadClient(port: gateway.clients, group: group)
                    var idle: [any Channel] = []
                    for _ in 0..<200 { idle.append(try await connect(gateway.clients, group)) }
                    #expect(try await client.send(.GET, "/health")?.status == 200)

                    // Each waits for a pod, until there are no descriptors for another.
                    var busy: [any Channel] = []
                    let request = ByteBuffer(string: "GET /task HTTP/1.1\r\nHost: a\r\n\r\n")
                    for _ in 0..<200 {
                        let channel = try await connect(gateway.clients, group)
                        channel.writeAndFlush(request, promise: nil)
                        busy.append(channel)
                    }
                    var refusal: LoadClient.Answer?
                    while refusal?.status != 503, !Task.isCancelled {
                        refusal = try? await client.send(.GET, "/health")
                    }
                    #expect(refusal?.headers.first(name: "Neutrino-Reason") == "too_many_connections")
                    #expect(refusal?.headers.first(name: "Retry-After") != nil)

                    for channel in idle + busy { channel.close(promise: nil) }
                    var answer = try? await client.send(.GET, "/health")
                    while answer?.status != 200, !Task.isCancelled { answer = try? await client.send(.GET, "/health") }
                    gateway.send(SIGTERM)
                }
                #expect(end.code == 0)
                #expect(end.lines.contains { $0.contains("few file descriptors") })
                #expect(end.lines.count { $0.contains("connections cannot be accepted") } < 10, "told once a shortage")
            }
        }
    }
}
