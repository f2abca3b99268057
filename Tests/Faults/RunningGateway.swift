import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage

/// The gateway's executable as a process of its own, whose log is read as long as it runs.
final class RunningGateway: Sendable {
    private struct Log {
        var lines: [String] = []
        var isOver = false
        var waiters: [(text: String, times: Int, continuation: CheckedContinuation<Bool, Never>)] = []

        func count(_ text: String) -> Int { lines.count { $0.contains(text) } }
    }

    let clients: Int
    let admin: Int
    private let processID: pid_t
    private let log: NIOLockedValueBox<Log>

    private init(clients: Int, admin: Int, processID: pid_t, log: NIOLockedValueBox<Log>) {
        self.clients = clients
        self.admin = admin
        self.processID = processID
        self.log = log
    }

    func send(_ signal: Int32) { kill(processID, signal) }

    /// Returns when so many lines that contain a text were logged; false where the process ended before.
    @discardableResult
    func said(_ text: String, times: Int = 1) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = log.withLockedValue { log in
                if log.count(text) >= times { return true }
                if log.isOver { return false }
                log.waiters.append((text, times, continuation))
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Asks the operators' listener until figures of the queue are as they are to be, and at least so many rows are committed.
    func settled(_ figures: [String: Int], recorded: Int = 0, _ group: any EventLoopGroup) async throws {
        let client = LoadClient(port: admin, group: group)
        while true {
            guard let answer = try await client.send(.GET, "/admin/api/queue") else { throw ChannelError.eof }
            let queue = try JSONSerialization.jsonObject(with: Data(answer.body.readableBytesView)) as? [String: Any]
            let isRecorded = queue?["recorded"] as? Int ?? 0 >= recorded
            if isRecorded, figures.allSatisfy({ queue?[$0.key] as? Int == $0.value }) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Asks for the metrics until one is at least so much.
    func measured(_ metric: String, atLeast value: Double, _ group: any EventLoopGroup) async throws {
        let client = LoadClient(port: admin, group: group)
        while true {
            guard let answer = try await client.send(.GET, "/metrics") else { throw ChannelError.eof }
            let line = String(buffer: answer.body).split(separator: "\n").first { $0.hasPrefix(metric + " ") }
            if let number = line?.split(separator: " ").last.flatMap({ Double($0) }), number >= value { return }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// How many lines so far contain a text.
    func count(_ text: String) -> Int { log.withLockedValue { $0.count(text) } }

    /// How it ended, and what it said.
    struct End: Sendable {
        /// What it exited with; nil where a signal ended it.
        var code: Int32?
        var lines: [String]
    }

    /// Runs `serve` and `body` beside it; returns when both have ended.
    /// - Parameters:
    ///   - executable: Its name, beside the test bundle.
    ///   - descriptors: The limit of file descriptors that it has.
    static func run(
        _ executable: String = "neutrino-gateway",
        folder: URL,
        backends: [String],
        flags: [String] = [],
        environment: [String: String] = [:],
        descriptors: Int? = nil,
        _ body: @escaping @Sendable (RunningGateway) async throws -> Void
    ) async throws -> End {
        let bundle = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let limit = descriptors.map { "ulimit -n \($0); " } ?? ""
        let log = NIOLockedValueBox(Log())
        let result = try await Subprocess.run(
            .path("/bin/sh"),
            arguments: Arguments(
                [
                    "-c", limit + #"exec "$0" "$@""#, bundle.appending(path: executable).path,
                    "serve", "--gateway-host=127.0.0.1", "--gateway-port=0", "--admin-port=0", "--event-loops=2",
                    "--database-path=\(folder.appending(path: "queue.db").path)",
                    "--static-backends=\(backends.joined(separator: ","))",
                    "--capacity-update-interval=0.2", "--log-format=text",
                ] + flags
            ),
            environment: .inherit.updating(
                Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0), Optional($1)) })
            ),
            input: .none,
            output: .discarded,
            error: .sequence
        ) { execution in
            let identifier = execution.processIdentifier.value
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { end(log) }
                for try await line in execution.standardError.strings() {
                    put(line, into: log)
                    let started = /gateway started.* address=127\.0\.0\.1:(\d+) admin=127\.0\.0\.1:(\d+)/
                    guard let match = line.firstMatch(of: started), let clients = Int(match.1),
                        let admin = Int(match.2)
                    else { continue }
                    let gateway = RunningGateway(clients: clients, admin: admin, processID: identifier, log: log)
                    group.addTask {
                        do {
                            try await body(gateway)
                        } catch {
                            gateway.send(SIGKILL)
                            throw error
                        }
                    }
                }
                end(log)
                try await group.waitForAll()
            }
        }
        var code: Int32?
        if case .exited(let exit) = result.terminationStatus { code = exit }
        return End(code: code, lines: log.withLockedValue { $0.lines })
    }

    private static func put(_ line: String, into log: NIOLockedValueBox<Log>) {
        let told = log.withLockedValue { log in
            log.lines.append(line)
            let waiters = log.waiters
            log.waiters = waiters.filter { log.count($0.text) < $0.times }
            return waiters.filter { log.count($0.text) >= $0.times }
        }
        for waiter in told { waiter.continuation.resume(returning: true) }
    }

    private static func end(_ log: NIOLockedValueBox<Log>) {
        let told = log.withLockedValue { log in
            log.isOver = true
            defer { log.waiters = [] }
            return log.waiters
        }
        for waiter in told { waiter.continuation.resume(returning: false) }
    }
}
