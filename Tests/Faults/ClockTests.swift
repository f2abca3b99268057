import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import TaskPod
import Testing

@Suite("A clock that jumps", .timeLimit(.minutes(2)))
struct ClockTests {
    @Test("an hour back, thirty days ahead and back again: ids go on upwards, holds end in time, nothing is lost")
    func jumps() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "clock").path
            try await withPod(cpus: 1) { pod, group in
                let ids = NIOLockedValueBox<[String]>([])
                _ = try await RunningGateway.run(
                    "faulty-gateway",
                    folder: folder,
                    backends: [pod.url],
                    flags: ["--hold-timeout=0.3", "--log-level=debug"],
                    environment: ["FAULTY_CLOCK_FILE": file]
                ) { gateway in
                    let client = LoadClient(port: gateway.clients, group: group)
                    async let running = client.send(.POST, "/task?ms=80000000")
                    try await gateway.settled(["dispatched": 1], group)
                    for milliseconds in [0, -3_600_000, 30 * 86_400_000, 0] {
                        try "\(milliseconds)".write(toFile: file, atomically: true, encoding: .utf8)
                        let before = gateway.count("clock set")
                        gateway.send(SIGUSR1)
                        await gateway.said("clock set", times: before + 1)
                        // The pod is taken: each waits out its hold, which would be an hour longer, or over at once, by the wall clock.
                        for _ in 0..<3 {
                            let answer = try #require(try await client.send(.POST, "/task?ms=1"))
                            #expect(answer.status == 503)
                            let hold = try #require(Self.hold(answer), "\(answer.headers)")
                            // Told from the commit on, and over that of the arrival.
                            #expect((200..<10_000).contains(hold))
                            ids.withLockedValue { $0.append(answer.id ?? "") }
                        }
                        // The second from now begins while the clock is ahead.
                        let passed = "Retention has passed"
                        if milliseconds > 0 { await gateway.said(passed, times: gateway.count(passed) + 2) }
                    }
                    gateway.send(SIGKILL)
                    _ = try? await running
                }
                _ = try await RunningGateway.run(folder: folder, backends: [pod.url]) { $0.send(SIGKILL) }
                let given = ids.withLockedValue { $0 }
                #expect(given.count == 12 && given == given.sorted() && Set(given).count == 12)
                let rows = try Rows(folder: folder)
                // The last one's end is written within milliseconds, or not.
                #expect(given.dropLast().count { rows.states[$0] == "expired" } == 11)
            }
        }
    }

    /// How long an answer says that its request was held, in milliseconds.
    private static func hold(_ answer: LoadClient.Answer) -> Double? {
        let timing = answer.headers.first(name: "Server-Timing")
        return timing?.firstMatch(of: /hold;dur=([0-9.]+)/).flatMap { Double($0.1) }
    }

    @Test("a start with a clock that is thirty days ahead removes nothing")
    func startsAhead() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "clock").path
            try await withPod { pod, group in
                let ids = NIOLockedValueBox<[String]>([])
                _ = try await RunningGateway.run(folder: folder, backends: [pod.url]) { gateway in
                    let client = LoadClient(port: gateway.clients, group: group)
                    for _ in 0..<3 {
                        let id = try #require(try await client.send(.POST, "/task?ms=1")?.id)
                        ids.withLockedValue { $0.append(id) }
                    }
                    gateway.send(SIGTERM)
                }
                try "\(30 * 86_400_000)".write(toFile: file, atomically: true, encoding: .utf8)
                for _ in 0..<2 {
                    _ = try await RunningGateway.run(
                        "faulty-gateway",
                        folder: folder,
                        backends: [pod.url],
                        flags: ["--log-level=debug"],
                        environment: ["FAULTY_CLOCK_FILE": file]
                    ) { gateway in
                        let client = LoadClient(port: gateway.clients, group: group)
                        let id = try #require(try await client.send(.POST, "/task?ms=1")?.id)
                        ids.withLockedValue { $0.append(id) }
                        await gateway.said("Retention has passed")
                        gateway.send(SIGTERM)
                    }
                }
                let rows = try Rows(folder: folder)
                #expect(ids.withLockedValue { $0 }.count { rows.states[$0] == "completed" } == 5)
            }
        }
    }
}
