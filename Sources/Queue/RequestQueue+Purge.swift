import Core
import NIOConcurrencyHelpers

/// What a purge did.
package struct PurgeReport: Sendable, Equatable {
    package var removed = 0
    /// Whether it came to its end.
    package var isComplete = false

    package init() {}
}

extension RequestQueue {
    /// A slice of a purge ends after this, its commit aside; in nanoseconds.
    private static let purgeSlice: Int64 = 3_000_000
    /// Between two slices, so that a request meets one in four at worst.
    private static let purgePause = Duration.milliseconds(10)

    /// The ended requests that a filter chooses, as they are now.
    package func purgeSelection(_ filter: LogFilter) async throws -> LogSelection {
        var filter = filter
        filter.states = filter.states.isEmpty ? Set(RequestState.allCases) : filter.states
        filter.states.formIntersection(RequestState.allCases.filter(\.isTerminal))
        // The newest row stays: the next start takes the ids that it gives from the largest that there is.
        let largest = try await log.largestID().rawValue
        return LogSelection(filter: filter, upper: RequestID(rawValue: max(0, largest - 1)))
    }

    /// Removes ended requests with all that belongs to them, oldest first, in slices of a few milliseconds between commits. What a bulk
    /// replay made stays as long as that has not ended: it knows by these rows what it has sent.
    /// - Parameters:
    ///   - report: What was done, also where this throws: then that is so all the same.
    ///   - goesOn: Asked before each slice.
    /// - Throws: ``QueueError`` where the database cannot be read or written.
    package func purge(
        _ selection: LogSelection,
        into report: inout PurgeReport,
        clock: some Clock<Duration> = .continuous,
        while goesOn: () -> Bool
    ) async throws {
        var after: Int64 = 0
        while true {
            let part = try await log.ids(of: selection, after: after, limit: 1000)
            var ids = part.ids[...]
            while !ids.isEmpty {
                guard goesOn() else { return }
                let (count, removed) = try await removeSome(of: ids)
                ids = ids.dropFirst(count)
                report.removed += removed.requests
                for name in removed.files { spool.remove(name: name) }
                try await clock.sleep(for: Self.purgePause)
            }
            after = part.scannedTo
            guard !part.isLast else {
                report.isComplete = true
                return
            }
        }
    }

    /// Removes the first of these, for as long as a slice lasts.
    /// - Returns: How many were looked at, and what was removed.
    private func removeSome(of ids: ArraySlice<Int64>) async throws -> (Int, RowRemoval.Removed) {
        let result = NIOLockedValueBox((0, RowRemoval.Removed()))
        do {
            try await perform { connection in
                let removal = try RowRemoval(connection)
                let mayGo = try connection.prepare(Self.mayGo)
                var removed = RowRemoval.Removed()
                var count = 0
                let until = monotonicNanoseconds() + Self.purgeSlice
                for id in ids {
                    mayGo.bind(1, id)
                    let goes = try mayGo.step()
                    mayGo.reset()
                    if goes { try removal.remove(id, &removed) }
                    count += 1
                    if monotonicNanoseconds() >= until { break }
                }
                result.withLockedValue { $0 = (count, removed) }
            }
        } catch let failure as SQLiteFailure {
            throw QueueError(.storage, "requests cannot be removed", cause: failure)
        }
        let done = result.withLockedValue { $0 }
        count(removed: done.1.requests)
        return done
    }

    /// Whether a request has ended and is of no bulk replay that has not.
    static let mayGo = """
        SELECT 1 FROM outcomes o JOIN requests r ON r.id = o.request WHERE o.request = ?1
            AND NOT EXISTS (SELECT 1 FROM replay_jobs j WHERE j.id = r.replay_job AND j.ended_at IS NULL)
        """
}
