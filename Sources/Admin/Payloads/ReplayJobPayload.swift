package import Dispatcher
import Queue

/// What `POST /admin/api/replays` may say.
package struct ReplayJobOrder: Codable, Sendable {
    package var filter: LogFilterPayload
    /// Only say what would be done.
    package var dryRun: Bool?
    /// Replays a second; 10 where absent.
    package var rate: Double?
    /// Replays at most; 10,000 where absent.
    package var max: Int?
    /// Also what may have run and is not idempotent.
    package var confirm: Bool?
    /// Fields in place of the rows': credentials. Kept in memory only.
    package var headers: [String: String]?

    package init(
        filter: LogFilterPayload,
        dryRun: Bool? = nil,
        rate: Double? = nil,
        max: Int? = nil,
        confirm: Bool? = nil,
        headers: [String: String]? = nil
    ) {
        self.filter = filter
        self.dryRun = dryRun
        self.rate = rate
        self.max = max
        self.confirm = confirm
        self.headers = headers
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case filter
        case dryRun
        case rate
        case max
        case confirm
        case headers
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseKeys(except: CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        filter = try values.decode(LogFilterPayload.self, forKey: .filter)
        dryRun = try values.decodeIfPresent(Bool.self, forKey: .dryRun)
        rate = try values.decodeIfPresent(Double.self, forKey: .rate)
        max = try values.decodeIfPresent(Int.self, forKey: .max)
        confirm = try values.decodeIfPresent(Bool.self, forKey: .confirm)
        headers = try values.decodeIfPresent([String: String].self, forKey: .headers)
    }
}

/// What `POST /admin/api/replays/{id}/resume` may say.
package struct ReplayResumption: Codable, Sendable {
    /// Fields in place of those that were supplied before, which are in memory only.
    package var headers: [String: String]?

    package init(headers: [String: String]? = nil) { self.headers = headers }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case headers
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseKeys(except: CodingKeys.self)
        headers = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(
            [String: String].self,
            forKey: .headers
        )
    }
}

/// How many for which reason.
package struct ReasonCountPayload: Codable, Equatable, Sendable {
    package var reason: String
    package var count: Int

    /// The most first.
    static func list(_ counts: [String: Int]) -> [ReasonCountPayload] {
        counts.map { ReasonCountPayload(reason: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }
    }
}

/// What a bulk replay would do.
package struct ReplayPreviewPayload: Codable, Sendable {
    package var matching: Int
    /// Whether that is all; else there are at least so many.
    package var complete: Bool
    /// Of the matching.
    package var replayable: Int
    package var refused: [ReasonCountPayload]
    /// The first that match: the oldest, at most ten.
    package var first: [RequestSummaryPayload]

    init(_ census: LogCensus, edits: ReplayEdits, isConfirmed: Bool, first: [LogSummary]) {
        var refused: [String: Int] = [:]
        for (facts, count) in census.groups {
            let refusal = ReplayRule.refusal(of: facts, edits: edits, isConfirmed: isConfirmed, isOneOfMany: true)
            guard let refusal else { continue }
            refused[refusal.reason.rawValue, default: 0] += count
        }
        matching = census.matching
        complete = census.isComplete
        replayable = census.matching - refused.values.reduce(0, +)
        self.refused = ReasonCountPayload.list(refused)
        self.first = first.map(RequestSummaryPayload.init)
    }
}

/// A bulk replay.
package struct ReplayJobPayload: Codable, Equatable, Sendable {
    package var id: String
    /// `running`, `paused`, `finished` or `cancelled`.
    package var state: String
    /// Why it paused by itself, or holds off at the moment.
    package var detail: String?
    package var filter: LogFilterPayload
    package var rate: Double
    package var max: Int
    package var confirm: Bool
    /// Names of the fields that were supplied.
    package var headers: [String]
    package var createdAt: String
    /// When the last of its replays had ended.
    package var endedAt: String?
    /// Requests that matched when it was made.
    package var matching: Int
    /// Whether that is all; else there were at least so many.
    package var complete: Bool
    /// Replays made.
    package var queued: Int
    package var waiting: Int
    package var dispatched: Int
    package var completed: Int
    /// Of the completed, those that a pod answered with 500 or above.
    package var serverErrors: Int
    /// Failed, expired, cancelled, abandoned.
    package var failed: Int
    /// The gateway ended while a pod had them; not repeated.
    package var interrupted: Int
    package var skipped: [ReasonCountPayload]

    init(_ report: ReplayReport) {
        let job = report.job
        id = "\(job.id)"
        state = job.state.name
        detail = job.detail
        filter = LogFilterPayload(job.filter)
        rate = job.rate
        max = job.limit
        confirm = job.isConfirmed
        headers = job.suppliedNames
        createdAt = RequestSummaryPayload.time(job.createdMilliseconds)
        endedAt = job.endedMilliseconds.map(RequestSummaryPayload.time)
        matching = job.matching
        complete = job.isMatchingComplete
        queued = job.progress.made
        waiting = report.waiting
        dispatched = report.dispatched
        completed = report.results.completed
        serverErrors = report.results.serverErrors
        failed = report.results.failed
        interrupted = report.results.interrupted
        skipped = ReasonCountPayload.list(job.progress.skipped)
    }
}

/// Bulk replays, the newest first.
package struct ReplayJobsPayload: Codable, Equatable, Sendable {
    package var replays: [ReplayJobPayload]

    package init(_ reports: [ReplayReport]) { replays = reports.map(ReplayJobPayload.init) }
}
