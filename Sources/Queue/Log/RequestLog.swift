package import Core
import GRDB
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// The request log, as operators read it: short reads beside the writer, each interrupted after `readTimeout`, since a long
/// reader keeps the WAL from being used again.
package final class RequestLog: Sendable {
    private let path: String
    private let options: GRDB.Configuration
    /// nil while no database is open.
    private let pool = NIOLockedValueBox<DatabasePool?>(nil)
    private let timeout: Duration
    private let clock: any Clock<Duration>
    let scanLimit: Int
    let spool: BodySpool
    /// The smallest id that may be without outcome, as of the last commit.
    private let lowWater: @Sendable () -> Int64

    init(
        _ configuration: QueueConfiguration,
        spool: BodySpool,
        clock: any Clock<Duration> = .continuous,
        lowWater: @escaping @Sendable () -> Int64
    ) throws {
        var options = GRDB.Configuration()
        options.readonly = true
        options.foreignKeysEnabled = false
        options.maximumReaderCount = configuration.readers
        options.busyMode = .timeout(2)
        options.label = "request-log"
        self.options = options
        path = configuration.databasePath
        timeout = configuration.readTimeout
        scanLimit = configuration.pageScanLimit
        self.spool = spool
        self.clock = clock
        self.lowWater = lowWater
        try openPool()
    }

    /// Opens the database that is behind the path now.
    func openPool() throws {
        let opened = try DatabasePool(path: path, configuration: options)
        pool.withLockedValue { $0 = opened }
    }

    /// Closes it, once what is being read was read. Blocks meanwhile; reads fail until it is opened again.
    func closePool() throws {
        try pool.withLockedValue { $0 }?.close()
        pool.withLockedValue { $0 = nil }
    }

    private func opened() throws(QueueError) -> DatabasePool {
        guard let pool = pool.withLockedValue({ $0 }) else {
            throw QueueError(.storage, "the request log cannot be read: no database is open")
        }
        return pool
    }

    // MARK: Reading

    /// A page of what matches, newest first. Looks at 20,000 rows at most: where few match, a page may be short, or empty, and yet
    /// have a next one.
    /// - Parameter before: ``LogPage/next`` of the page before; nil for the first.
    /// - Throws: ``QueueError``.
    package func page(
        _ filter: LogFilter = LogFilter(),
        before: RequestID? = nil,
        limit: Int = 50
    ) async throws -> LogPage {
        let query = LogQuery(filter, before: before, lowWater: lowWater(), scanLimit: scanLimit)
        return try await read { try query.page($0, limit: max(1, limit)) }
    }

    /// Everything about one request; nil where there is none.
    package func detail(_ id: RequestID) async throws -> LogEntry? {
        let spool = spool
        return try await read { try LogEntry.fetch($0, id: id, spool: spool) }
    }

    /// What is needed to send a request again; nil where there is no such request, or one whose method this program does not know.
    package func replaySource(_ id: RequestID) async throws -> ReplaySource? {
        let spool = spool
        return try await read { try ReplaySource.fetch($0, id: id, spool: spool) }
    }

    /// Runs a read, blocking; for start-up.
    func readNow<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try opened().read(body)
    }

    func close() {
        try? closePool()
    }

    /// Runs a read, and interrupts it where it takes too long.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        let pool = try opened()
        return try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask {
                do {
                    return try await pool.read(body)
                } catch let error as DatabaseError {
                    throw QueueError(.storage, "the request log cannot be read", cause: error)
                }
            }
            group.addTask { [clock, timeout] in
                try await clock.sleep(for: timeout)
                throw QueueError(.timeout, "a read of the request log took longer than \(timeout) and was interrupted")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
