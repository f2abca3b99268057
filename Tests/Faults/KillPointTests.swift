import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TaskPod
import Testing

/// kill -9 at every step of a request's life: what the rows say afterwards is true.
@Suite("kill -9 at a point", .timeLimit(.minutes(4)))
struct KillPointTests {
    @Test("before and after every write, sync and removal of the database: rows, pod and client agree")
    func everyWrite() async throws {
        try await withFolder { folder in
            try await withPod { pod, group in
                let answered = NIOLockedValueBox<[String]>([])
                var died = 0
                // A commit of a small request is about a dozen writes; the outcome's comes after it.
                for count in Array(0..<14) + stride(from: 15, through: 39, by: 4) {
                    let end = try await RunningGateway.run(
                        "faulty-gateway",
                        folder: folder,
                        backends: [pod.url],
                        environment: ["FAULTY_DISK_KILL_AFTER": "\(count)"]
                    ) { gateway in
                        gateway.send(SIGUSR2)
                        await gateway.said("kill point set")
                        let client = LoadClient(port: gateway.clients, group: group)
                        // Of both kinds: in the row, and in a row of its own.
                        for body in ["{}", String(repeating: "b", count: 9000)] {
                            guard let id = try? await client.send(.POST, "/task?ms=1", body: body)?.id else { break }
                            answered.withLockedValue { $0.append(id) }
                        }
                        gateway.send(SIGTERM)
                    }
                    if end.code == nil { died += 1 }
                }
                #expect(died >= 15, "most points are in a request's life")
                _ = try await RunningGateway.run(folder: folder, backends: [pod.url]) { $0.send(SIGKILL) }
                try Rows(folder: folder).check(seen: pod.requestIDs(), answered: answered.withLockedValue { $0 })
            }
        }
    }

    /// Where a request is when the gateway is killed, as seen from outside.
    enum Step: String, CaseIterable, Sendable {
        case headSent, halfOfBodySent, waits, podHasIt, halfOfAnswerPassedOn, answered
    }

    @Test("at every step that is seen from outside, the next start tells what is known", arguments: Step.allCases)
    func step(_ step: Step) async throws {
        try await withFolder { folder in
            try await withPod(cpus: step == .waits ? 0 : 4) { pod, group in
                let target =
                    switch step {
                    case .podHasIt: "/task?ms=80000000"
                    case .halfOfAnswerPassedOn: "/task?events=100000&interval_ms=10"
                    default: "/task?ms=1"
                    }
                _ = try await RunningGateway.run(folder: folder, backends: [pod.url]) { gateway in
                    let channel = try await ClientBootstrap(group: group).connect(
                        host: "127.0.0.1",
                        port: gateway.clients
                    ) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                        }
                    }
                    try await channel.executeThenClose { inbound, outbound in
                        // Half of it is so much that it is seen to have come: it is in a file.
                        let size = step == .halfOfBodySent ? 600_000 : 4
                        let head = "POST \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n"
                        try await outbound.write(ByteBuffer(string: head))
                        if step != .headSent {
                            let bytes = step == .halfOfBodySent ? size / 2 : size
                            try await outbound.write(ByteBuffer(repeating: 0x61, count: bytes))
                        }
                        switch step {
                        case .headSent:
                            try await gateway.measured("neutrino_client_connections", atLeast: 1, group)
                        case .halfOfBodySent:
                            try await gateway.measured("neutrino_spool_bytes", atLeast: 1, group)
                        case .waits: try await gateway.settled(["depth": 1], recorded: 1, group)
                        case .podHasIt: try await pod.gotRequest()
                        case .halfOfAnswerPassedOn, .answered:
                            for try await bytes in inbound where bytes.readableBytes > 0 { break }
                        }
                        gateway.send(SIGKILL)
                    }
                }
                _ = try await RunningGateway.run(folder: folder, backends: [pod.url]) { $0.send(SIGKILL) }
                let end = try Rows(folder: folder).ends[target]
                switch step {
                case .headSent, .halfOfBodySent: #expect(end == nil)
                case .waits: #expect(end == "abandoned gateway_ended")
                case .podHasIt, .halfOfAnswerPassedOn: #expect(end == "interrupted gateway_ended")
                // Its outcome is written within milliseconds, or not.
                case .answered: #expect(end == "completed ok" || end == "interrupted gateway_ended")
                }
            }
        }
    }
}
