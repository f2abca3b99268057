import ArgumentParser
import Core
import Foundation
import Logging
import NIOCore
import NIOPosix
import Queue

/// The queue alone: requests are inserted and ended as fast as it goes, so many of them under way at once.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Durable insert and outcome, pairs a second."
    )

    @Option(help: "Requests under way at once, over both loops: about the size of a batch.")
    var batch = 64
    @Option(help: "Pairs that are measured.")
    var pairs = 200_000
    @Option(help: "Rows that are there before.")
    var rows = 0
    @Option(help: "Event loops that hand over.")
    var loops = 2
    @Option(help: "normal or full.")
    var synchronous = "normal"
    @Option(help: "The database; a temporary one that is removed otherwise.")
    var database: String?

    func run() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "measure-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var configuration = QueueConfiguration(databasePath: database ?? folder.appending(path: "queue.db").path)
        guard let synchronous = QueueConfiguration.Synchronous(rawValue: synchronous) else {
            throw ValidationError("--synchronous is normal or full")
        }
        configuration.synchronous = synchronous
        configuration.databaseMaxBytes = .max
        let logger = Logger(label: "measure")
        let queue = try RequestQueue.open(configuration, logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        if rows > 0 { try StoreLoad(queue, group, batch: 1024, pairs: rows).run() }
        let before = ProcessTimes.now()
        let commits = queue.statistics.commits
        let load = StoreLoad(queue, group, batch: batch, pairs: pairs)
        try load.run()
        let spent = ProcessTimes.now() - before
        Report([
            "pairs": Double(pairs),
            "pairsPerSecond": Double(pairs) / spent.wall,
            "cpuMicrosecondsPerPair": spent.cpu * 1e6 / Double(pairs),
            "rowsPerCommit": Double(pairs) / Double(max(queue.statistics.commits - commits, 1)),
        ]).print()
        let closed = group.next().makePromise(of: Void.self)
        closed.completeWithTask { await queue.close() }
        try closed.futureResult.wait()
        try group.syncShutdownGracefully()
    }
}

/// So many requests under way, each ended as soon as it is committed and followed by another, on several loops.
private struct StoreLoad {
    let queue: RequestQueue
    let group: MultiThreadedEventLoopGroup
    let batch: Int
    let pairs: Int

    init(_ queue: RequestQueue, _ group: MultiThreadedEventLoopGroup, batch: Int, pairs: Int) {
        self.queue = queue
        self.group = group
        self.batch = batch
        self.pairs = pairs
    }

    /// Returns when all are committed with their outcomes.
    func run() throws {
        let loops = Array(group.makeIterator())
        let ends = loops.map { loop in
            let share = pairs / loops.count
            let writer = StoreWriter(queue.journal, loop: loop, pairs: share)
            return loop.flatSubmit { writer.begin(atOnce: max(batch / loops.count, 1)) }
        }
        for end in ends { try end.wait() }
        let flushed = group.next().makePromise(of: Void.self)
        flushed.completeWithTask { try await queue.flush() }
        try flushed.futureResult.wait()
    }
}

/// One loop's share. The request is what the speed tests send: a POST of 493 bytes with an answer of 226.
private final class StoreWriter: CommitReceiver, @unchecked Sendable {
    // `@unchecked`: used on its loop only.
    let eventLoop: any EventLoop
    private let journal: GroupCommitJournal
    private let done: EventLoopPromise<Void>
    private var toInsert: Int
    private var toCommit: Int
    /// In the order of their commits.
    private var underWay = CircularBuffer<QueuedRequest>()
    private let template = RequestTemplate()
    private let pod = Pod(key: 0, description: PodDescription(host: "127.0.0.1", port: 8000))

    init(_ journal: GroupCommitJournal, loop: any EventLoop, pairs: Int) {
        self.journal = journal
        eventLoop = loop
        toInsert = pairs
        toCommit = pairs
        done = loop.makePromise()
    }

    func begin(atOnce: Int) -> EventLoopFuture<Void> {
        for _ in 0..<atOnce { insert() }
        return done.futureResult
    }

    private func insert() {
        guard toInsert > 0 else { return }
        toInsert -= 1
        let request = template.request(on: eventLoop)
        underWay.append(request)
        journal.insert(request, pod: pod, receiver: self)
    }

    func committed(pod: Pod?) {
        journal.end(template.outcome(of: underWay.removeFirst()))
        toCommit -= 1
        if toCommit == 0 { done.succeed() } else { insert() }
    }

    func commitFailed(_ problem: StorageProblem) { done.fail(problem) }
}
