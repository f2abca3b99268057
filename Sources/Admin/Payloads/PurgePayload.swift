import Queue

/// What `POST /admin/api/purge` may say.
package struct PurgeOrder: Codable, Sendable {
    package var filter: LogFilterPayload
    /// Only say how many would go.
    package var dryRun: Bool?

    package init(filter: LogFilterPayload, dryRun: Bool? = nil) {
        self.filter = filter
        self.dryRun = dryRun
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case filter
        case dryRun
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseKeys(except: CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        filter = try values.decode(LogFilterPayload.self, forKey: .filter)
        dryRun = try values.decodeIfPresent(Bool.self, forKey: .dryRun)
    }
}

/// What `POST /admin/api/purge` answers: with `dry_run` how many match, else how many were removed.
package struct PurgePayload: Codable, Sendable {
    package var matching: Int?
    package var removed: Int?
    /// Whether that is all: else at least so many match, or the gateway ended while it removed them.
    package var complete: Bool

    init(_ census: LogCensus) {
        matching = census.matching
        complete = census.isComplete
    }

    init(_ report: PurgeReport) {
        removed = report.removed
        complete = report.isComplete
    }
}
