import Core
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Queue
import ServiceLifecycle

/// `POST /admin/api/purge` and `GET /admin/api/backup`: what is kept, removed by filter or taken away as a copy.
struct StorageCalls: Sendable {
    let subjects: AdminServer.Subjects
    let operators: Operators

    /// A backup whose reader takes nothing for so long is broken off: it keeps others from theirs, and a database's worth of the disk.
    private static let backupLimit = StallLimit(patience: .seconds(60), clock: ContinuousClock())
    /// Of a purge's filter, in its record.
    private static let recordedFilter = 1000

    func add(to api: RouterGroup<AdminContext>) {
        api.post("/purge") { request, context in
            let order = try await JSON.body(PurgeOrder.self, of: request, context: context)
            return try await purge(order, context)
        }
        api.get("/backup") { request, context in
            guard context.role == .full else {
                throw AdminProblem(.forbidden, "forbidden", "a backup holds bodies, which this token may not see")
            }
            // HEAD: a copy that nobody will read is not made.
            guard request.method == .get else { return Response(status: .ok, headers: Self.backupHeaders) }
            return try await backup(by: context.author)
        }
    }

    // MARK: Purge

    private func purge(_ order: PurgeOrder, _ context: AdminContext) async throws -> Response {
        let filter = try order.filter.filter()
        if let open = filter.states.first(where: { !$0.isTerminal }) {
            throw AdminProblem.badRequest("`state` has \(open.name); only requests that have ended are removed")
        }
        let selection = try await subjects.queue.purgeSelection(filter)
        if order.dryRun == true {
            return try JSON.response(
                PurgePayload(try await subjects.log.census(selection, within: RequestLog.dryRunBudget))
            )
        }
        var report = PurgeReport()
        var failure: (any Error)?
        do {
            // A long one must hold up no shutdown, nor go on for a caller that is gone: who interrupts the command means the purge.
            try await subjects.queue.purge(selection, into: &report) {
                !Task.isShuttingDownGracefully && !Task.isCancelled && context.isConnected()
            }
        } catch {
            failure = error
        }
        // Recorded however it ended: what was removed by then is.
        let text = String(decoding: try JSON.encoder.encode(LogFilterPayload(filter)), as: UTF8.self)
        let subject = text.count > Self.recordedFilter ? String(text.prefix(Self.recordedFilter)) + "…" : text
        let removed = "\(report.removed) removed" + (report.isComplete ? "" : ", not all that match")
        await operators.record(ChangeRecord(.purge, of: subject, to: removed), by: context.author)
        if let failure { throw failure }
        return try JSON.response(PurgePayload(report))
    }

    // MARK: Backup

    private static let backupHeaders: HTTPFields = [
        .contentType: "application/vnd.sqlite3",
        .contentDisposition: "attachment; filename=\"neutrino.db\"",
    ]

    private func backup(by author: ChangeAuthor) async throws -> Response {
        let backup: DatabaseBackup
        do {
            backup = try await cancelWhenGracefulShutdown { try await subjects.queue.backup() }
        } catch let error as QueueError where error.code == .busy {
            throw AdminProblem(.conflict, "backup_running", error.message)
        } catch let error as QueueError where error.code == .full {
            let status = HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
            throw AdminProblem(status, "disk_full", "\(error)")
        } catch is CancellationError {
            throw AdminProblem(.serviceUnavailable, "draining", "the gateway is shutting down")
        }
        await operators.record(ChangeRecord(.backup, of: nil, to: "\(backup.byteCount) bytes"), by: author)
        return Response(
            status: .ok,
            headers: Self.backupHeaders,
            body: ResponseBody(contentLength: Int(backup.byteCount)) { writer in
                // Used by one task at a time: this one waits for the other.
                nonisolated(unsafe) let output = writer
                // A slow reader of a copy must not hold up the shutdown: it sees a body that is too short.
                try await cancelWhenGracefulShutdown {
                    try await Self.backupLimit.run { stepped in
                        nonisolated(unsafe) var output = output
                        while let part = try await backup.read() {
                            try await output.write(part)
                            stepped()
                        }
                    }
                }
                try await writer.finish(nil)
            }
        )
    }
}
