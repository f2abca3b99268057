import Foundation
import NIOCore
import NIOHTTP1
import TaskPod
import Testing

@Suite("Its own end by a signal", .timeLimit(.minutes(2)))
struct EndTests {
    @Test("SIGTERM: what comes is refused, what waits at DRAIN_TIMEOUT gets 503, a stream that is cut is interrupted")
    func drain() async throws {
        try await withFolder { folder in
            try await withPod(cpus: 1) { pod, group in
                let end = try await RunningGateway.run(
                    folder: folder,
                    backends: [pod.url],
                    flags: ["--drain-timeout=1"]
                ) { gateway in
                    let client = LoadClient(port: gateway.clients, group: group)
                    async let stream = client.send(.POST, "/task?events=100000&interval_ms=10")
                    try await gateway.settled(["depth": 0, "dispatched": 1], group)
                    async let waiting = client.send(.POST, "/task?ms=1")
                    try await gateway.settled(["depth": 1, "dispatched": 1], recorded: 2, group)
                    gateway.send(SIGTERM)
                    await gateway.said("draining")
                    // The first may still find the door open.
                    var late = try await client.send(.POST, "/task?ms=2")
                    while late?.status == 200 { late = try await client.send(.POST, "/task?ms=2") }
                    #expect(late?.status == 503)
                    #expect(late?.headers.first(name: "Neutrino-Reason") == "draining")
                    let refused = try await waiting
                    #expect(refused?.status == 503)
                    #expect(refused?.headers.first(name: "Neutrino-Reason") == "draining")
                    #expect(refused?.headers.first(name: "Retry-After") != nil)
                    #expect((try? await stream) == nil, "it was cut, and must not look whole")
                }
                #expect(end.code == 0)
                #expect(!end.lines.contains { $0.contains("came after the queue was closed") })
            }
            let rows = try Rows(folder: folder)
            #expect(rows.ends["/task?events=100000&interval_ms=10"] == "interrupted gateway_ended")
            #expect(rows.ends["/task?ms=1"] == "abandoned draining")
        }
    }

    @Test("a second SIGTERM ends it at once; what a pod had is told as interrupted by the next start")
    func secondSignal() async throws {
        try await withFolder { folder in
            try await withPod { pod, group in
                let end = try await RunningGateway.run(folder: folder, backends: [pod.url]) { gateway in
                    let client = LoadClient(port: gateway.clients, group: group)
                    async let running = client.send(.POST, "/task?ms=80000000")
                    try await pod.gotRequest()
                    gateway.send(SIGTERM)
                    await gateway.said("draining")
                    // Those that come within 100 ms count as the first one's echo.
                    while gateway.count("second signal") == 0 {
                        gateway.send(SIGTERM)
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    #expect((try? await running) == nil)
                }
                #expect(end.code == 143)
                _ = try await RunningGateway.run(folder: folder, backends: [pod.url]) { $0.send(SIGKILL) }
            }
            #expect(try Rows(folder: folder).ends["/task?ms=80000000"] == "interrupted gateway_ended")
        }
    }
}
