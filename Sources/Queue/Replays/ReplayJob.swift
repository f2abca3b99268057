package import Core

/// Names a bulk replay for good: a small number, never given twice.
package struct ReplayJobID: RawRepresentable, Hashable, Comparable, Sendable, LosslessStringConvertible {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// Reads decimal digits; nil for anything else, or for a number below 1.
    package init?(_ description: String) {
        guard description.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int64(description), number > 0
        else { return nil }
        rawValue = number
    }

    package var description: String { "\(rawValue)" }

    package static func < (left: ReplayJobID, right: ReplayJobID) -> Bool { left.rawValue < right.rawValue }
}

/// Many requests that are sent again, in the background: what an operator asked for and how far it came.
package struct ReplayJob: Sendable {
    /// The raw values are what the database holds; they never change once released.
    package enum State: Int, CaseIterable, Sendable {
        case running = 0
        /// By an operator, or by itself (``ReplayJob/detail``): no row is made; those that are made go on.
        case paused = 1
        /// Every source was replayed or skipped, and every replay has ended.
        case finished = 2
        /// No row is made any more, and those that waited were taken out of the queue.
        case cancelled = 3

        package var name: String { "\(self)" }
    }

    package var id: ReplayJobID
    package var createdMilliseconds: Int64
    package var filter: LogFilter
    /// Rows made a second.
    package var rate: Double
    /// Rows made at most.
    package var limit: Int
    /// Also what may have run and is not idempotent.
    package var isConfirmed: Bool
    /// Names of the fields that were supplied for its requests; their values are in memory only.
    package var suppliedNames: [String]
    /// The largest id when it was made. It replays nothing above, and so nothing of its own.
    package var upper: RequestID
    /// How many requests matched then; at least that many where the count is not complete.
    package var matching: Int
    package var isMatchingComplete: Bool
    package var state: State
    /// Why it paused by itself.
    package var detail: String?
    package var progress: ReplayProgress
    /// What became of its replays; of a job that has not ended, none.
    package var results: ReplayResults?
    /// When the last of its replays had ended, in milliseconds since 1970.
    package var endedMilliseconds: Int64?

    /// Whether it makes rows, or could go on to.
    package var isOpen: Bool { state == .running || state == .paused }
}

/// How far a job came. The three move together: a crash loses the last second of them, never one without the others.
package struct ReplayProgress: Sendable, Equatable {
    /// Every source up to this id has its row, or was skipped and counted. Above it, a source that has a row is known by that row.
    package var cursor: Int64 = 0
    /// Sources that have a row.
    package var made = 0
    /// Sources that were passed over, by reason.
    package var skipped: [String: Int] = [:]

    package init() {}
}

/// What became of a job's replays.
package struct ReplayResults: Codable, Sendable, Equatable {
    package var completed = 0
    /// Answered by a pod with 500 or above, among the completed.
    package var serverErrors = 0
    /// Failed, expired, cancelled, abandoned.
    package var failed = 0
    package var interrupted = 0

    package init() {}

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        completed = try values.decode(Int.self, forKey: .completed)
        // Not there where an older program wrote it.
        serverErrors = try values.decodeIfPresent(Int.self, forKey: .serverErrors) ?? 0
        failed = try values.decode(Int.self, forKey: .failed)
        interrupted = try values.decode(Int.self, forKey: .interrupted)
    }
}

/// What an operator asks for: everything of a ``ReplayJob`` that is not its course.
package struct ReplayJobDraft: Sendable {
    package var filter: LogFilter
    package var rate: Double
    package var limit: Int
    package var isConfirmed: Bool
    package var suppliedNames: [String]
    package var upper: RequestID
    package var matching: Int
    package var isMatchingComplete: Bool

    package init(
        filter: LogFilter,
        rate: Double,
        limit: Int,
        isConfirmed: Bool,
        suppliedNames: [String],
        upper: RequestID,
        matching: Int,
        isMatchingComplete: Bool
    ) {
        self.filter = filter
        self.rate = rate
        self.limit = limit
        self.isConfirmed = isConfirmed
        self.suppliedNames = suppliedNames
        self.upper = upper
        self.matching = matching
        self.isMatchingComplete = isMatchingComplete
    }
}
