import Core
import Dispatcher
import Foundation
import HTTPTypes
import Hummingbird
import Queue

/// `/admin/api/replays`: many requests sent again, in the background.
struct ReplayCalls: Sendable {
    let subjects: AdminServer.Subjects
    let operators: Operators

    private static let fastest = 10_000.0
    private static let slowest = 0.01
    private static let most = 1_000_000

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/replays") { _, _ in
            try JSON.response(ReplayJobsPayload(try await subjects.replays.reports()))
        }
        api.post("/replays") { request, context in
            try await begin(JSON.body(ReplayJobOrder.self, of: request, context: context), by: context.author)
        }
        api.get("/replays/{id}") { _, context in
            let id = try id(context)
            return try JSON.response(ReplayJobPayload(try await told { try await subjects.replays.report(id) }))
        }
        api.post("/replays/{id}/pause") { _, context in
            let id = try id(context)
            return try await changed("paused", id, by: context.author) { try await subjects.replays.pause(id) }
        }
        api.post("/replays/{id}/resume") { request, context in
            let id = try id(context)
            let order = try await JSON.body(ReplayResumption.self, of: request, context: context)
            let edits = try order.headers.map(edits)
            return try await changed("resumed", id, by: context.author) {
                try await subjects.replays.resume(id, edits: edits)
            }
        }
        api.delete("/replays/{id}") { _, context in
            let id = try id(context)
            return try await changed("cancelled", id, by: context.author) { try await subjects.replays.cancel(id) }
        }
    }

    private func id(_ context: AdminContext) throws -> ReplayJobID {
        try RequestQuery.job(context.parameters.require("id"), "id")
    }

    private func edits(_ headers: [String: String]) throws -> ReplayEdits {
        do {
            return try ReplayEdits(fields: ReplayOrder.fields(headers))
        } catch {
            throw AdminProblem(refused: error)
        }
    }

    // MARK: Making one

    private func begin(_ order: ReplayJobOrder, by author: ChangeAuthor) async throws -> Response {
        let filter = try order.filter.filter()
        let edits = try edits(order.headers ?? [:])
        let rate = order.rate ?? 10
        guard (Self.slowest...Self.fastest).contains(rate) else {
            throw AdminProblem.badRequest(
                "`rate` is \(rate); accepted are \(Self.slowest) to \(Int(Self.fastest)) a second"
            )
        }
        let limit = order.max ?? 10_000
        guard (1...Self.most).contains(limit) else {
            throw AdminProblem.badRequest("`max` is \(limit); accepted are 1 to \(Self.most)")
        }
        let isConfirmed = order.confirm ?? false
        let selection = LogSelection(filter: filter, upper: try await subjects.log.largestID())
        if order.dryRun == true {
            let census = try await subjects.log.census(selection, within: RequestLog.dryRunBudget)
            let first = try await subjects.log.first(10, of: selection, within: RequestLog.dryRunBudget)
            return try JSON.response(
                ReplayPreviewPayload(census, edits: edits, isConfirmed: isConfirmed, first: first)
            )
        }
        let census = try await subjects.log.census(selection)
        let draft = ReplayJobDraft(
            filter: filter,
            rate: rate,
            limit: limit,
            isConfirmed: isConfirmed,
            suppliedNames: edits.fields.map(\.name),
            upper: selection.upper,
            matching: census.matching,
            isMatchingComplete: census.isComplete
        )
        let report = try await told { try await subjects.replays.create(draft, edits: edits) }
        await operators.record(ChangeRecord(.replayJob, of: "\(report.job.id)", to: "created"), by: author)
        var response = try JSON.response(ReplayJobPayload(report), status: .accepted)
        response.headers[.location] = "/admin/api/replays/\(report.job.id)"
        return response
    }

    // MARK: Changing one

    private func changed(
        _ how: String,
        _ id: ReplayJobID,
        by author: ChangeAuthor,
        _ change: () async throws -> ReplayReport
    ) async throws -> Response {
        let before = try await told { try await subjects.replays.report(id) }.job.state
        let report = try await told(change)
        if report.job.state != before {
            await operators.record(ChangeRecord(.replayJob, of: "\(id)", to: how), by: author)
        }
        return try JSON.response(ReplayJobPayload(report))
    }

    private func told(_ call: () async throws -> ReplayReport) async throws -> ReplayReport {
        do {
            return try await call()
        } catch let problem as ReplayJobProblem {
            let status: HTTPResponse.Status = problem.code == .unknown ? .notFound : .conflict
            throw AdminProblem(status, problem.code.rawValue, problem.description)
        }
    }
}

extension AdminProblem {
    /// A replay that is not made.
    init(refused refusal: ReplayRefusal) {
        self.init(refusal.reason == .invalid ? .badRequest : .conflict, refusal.reason.rawValue, refusal.description)
    }
}
