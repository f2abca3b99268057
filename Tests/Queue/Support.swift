import CSQLite
import Core
import Dispatch
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import Queue

/// A folder for one test, removed when it is let go.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "queue-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var database: String { "\(path)/queue.db" }

    /// Copies the files as they are now, as a crash would leave them. Nothing may be written meanwhile.
    func snapshot() throws -> TemporaryFolder {
        let copy = try TemporaryFolder()
        for name in ["queue.db", "queue.db-wal", "queue.db.bodies"]
        where FileManager.default.fileExists(atPath: "\(path)/\(name)") {
            try FileManager.default.copyItem(atPath: "\(path)/\(name)", toPath: "\(copy.path)/\(name)")
        }
        return copy
    }

    /// Every byte of every file.
    func contents() throws -> Data {
        var all = Data()
        let files = try #require(FileManager.default.enumerator(atPath: path)).compactMap { $0 as? String }
        for file in files {
            if let data = FileManager.default.contents(atPath: "\(path)/\(file)") { all.append(data) }
        }
        return all
    }

    /// What a query answers on a connection of its own.
    func rows(_ sql: String) throws -> [[String?]] {
        let connection = try SQLiteConnection(path: database, busyTimeout: 2000)
        let statement = try connection.prepare(sql)
        var rows: [[String?]] = []
        while try statement.step() {
            rows.append((0..<sqlite3_column_count(statement.handle)).map { statement.text($0) })
        }
        return rows
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A queue on a real file in a folder of its own.
struct TestQueue: Sendable {
    let folder: TemporaryFolder
    let queue: RequestQueue
    let eventLoop: any EventLoop

    init(
        in folder: TemporaryFolder? = nil,
        checkpoints: Checkpointer.Limits = Checkpointer.Limits(),
        _ configure: (inout QueueConfiguration) -> Void = { _ in }
    ) throws {
        self.folder = try folder ?? TemporaryFolder()
        var configuration = QueueConfiguration(databasePath: self.folder.database)
        configuration.heldBackBytes = 1 << 20
        configure(&configuration)
        queue = try RequestQueue.open(configuration, checkpoints: checkpoints, logger: quiet)
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    }

    var journal: GroupCommitJournal { queue.journal }

    /// Inserts a request and waits for its commit.
    @discardableResult
    func insert(_ request: QueuedRequest, pod: Pod? = nil) async throws -> RequestID {
        let receipt = Receipt(on: eventLoop)
        journal.insert(request, pod: pod, receiver: receipt)
        _ = try await receipt.commit()
        return request.id
    }

    @discardableResult
    func insert(_ target: String = "/", pod: Pod? = nil) async throws -> RequestID {
        try await insert(request(target), pod: pod)
    }

    func attempt(_ request: QueuedRequest, number: Int, pod: Pod) async throws {
        let receipt = Receipt(on: eventLoop)
        journal.attempt(request, number: number, pod: pod, receiver: receipt)
        _ = try await receipt.commit()
    }

    /// Hands over an outcome and waits for its commit.
    func end(_ id: RequestID, _ state: RequestState = .completed, _ reason: EndReason = .ok) async throws {
        journal.end(.of(id, state, reason))
        try await queue.flush()
    }

    func request(
        _ target: String = "/",
        method: RequestMethod = .post,
        route: String = "default",
        fields: [(String, String)] = [("Host", "test")],
        body: RequestBody = .none,
        priority: RequestPriority = .live,
        replayOf: RequestID? = nil,
        replayJob: ReplayJobID? = nil
    ) -> QueuedRequest {
        QueuedRequest(
            eventLoop: eventLoop,
            route: .named(route),
            method: method,
            target: ByteBuffer(string: target),
            fields: HeaderFields(fields),
            body: body,
            needs: ResourceVector(cpus: 1000, gpus: 500, memory: 2000),
            priority: priority,
            clientAddress: "192.0.2.1",
            arrivedAt: .now(),
            replayOf: replayOf,
            replayJob: replayJob,
            sink: NoSink()
        )
    }

    /// Keeps the writer's thread busy until `body` has returned, so that what is handed over in it is taken at once.
    func whileWriterIsBusy<Value>(_ body: () async throws -> Value) async throws -> Value {
        let gate = DispatchSemaphore(value: 0)
        let isBusy = eventLoop.makePromise(of: Void.self)
        async let job: Void = queue.perform { _ in
            isBusy.succeed()
            gate.wait()
        }
        try await isBusy.futureResult.get()
        let value = try await body()
        gate.signal()
        try await job
        return value
    }

    func rows(_ sql: String) throws -> [[String?]] { try folder.rows(sql) }

    func close() async { await queue.close() }
}

extension Route {
    static func named(_ id: String) -> Route {
        Route(
            key: 0,
            id: id,
            method: nil,
            template: nil,
            needs: ResourceVector(cpus: 1000, gpus: 0, memory: 1000),
            holdTimeout: Setting(.seconds(30), from: .default),
            requestTimeout: Setting(.seconds(300), from: .default)
        )
    }
}

extension Pod {
    static func at(_ port: Int) -> Pod {
        Pod(key: port, description: PodDescription(host: "10.0.0.7", port: port))
    }
}

extension Outcome {
    static func of(
        _ id: RequestID,
        _ state: RequestState = .completed,
        _ reason: EndReason = .ok,
        status: Int? = 200
    ) -> Outcome {
        Outcome(
            id: id,
            state: state,
            reason: reason,
            status: status,
            podID: "http://10.0.0.7:1",
            attempts: 1,
            hold: .milliseconds(2),
            total: .milliseconds(5)
        )
    }
}

/// Waits for one commit.
final class Receipt: CommitReceiver, @unchecked Sendable {
    // `@unchecked`: nothing changes.
    let eventLoop: any EventLoop
    private let promise: EventLoopPromise<Pod?>

    init(on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        promise = eventLoop.makePromise()
    }

    func committed(pod: Pod?) {
        eventLoop.preconditionInEventLoop()
        promise.succeed(pod)
    }

    func commitFailed(_ problem: StorageProblem) {
        eventLoop.preconditionInEventLoop()
        promise.fail(problem)
    }

    func commit() async throws -> Pod? { try await promise.futureResult.get() }

    /// Why it failed; nil where it did not.
    func failure() async -> StorageProblem? {
        do {
            _ = try await commit()
            return nil
        } catch {
            return error as? StorageProblem
        }
    }
}

/// An answer that nobody waits for.
final class NoSink: AnswerSink {
    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) {}
    func body(_ bytes: ByteBuffer) {}
    func end(trailers: HeaderFields?) {}
    func abort() {}
    func refuse(_ refusal: Refusal) {}
}
