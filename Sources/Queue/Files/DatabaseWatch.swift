/// Tells from the files of an open database whether it is still the one behind its path.
///
/// A change counts when it has stood for a second: until then somebody may be about to put a file into the place of the one that was
/// removed, or still be copying it.
struct DatabaseWatch {
    enum Finding: Equatable {
        case same
        /// Nothing is to be written until it is known what comes of it.
        case changing(DatabaseFiles.Change)
        case changed(DatabaseFiles.Change, found: DatabaseFiles)
    }

    /// In nanoseconds.
    static let settlingTime: Int64 = 1_000_000_000

    let opened: DatabaseFiles
    /// Whatever is in the file since, it is not what was.
    private(set) var wasEmptied = false
    private var seen: (found: DatabaseFiles, since: Int64)?

    init(opened: DatabaseFiles) {
        self.opened = opened
    }

    /// - Parameter now: By the monotonic clock.
    mutating func look(_ found: DatabaseFiles, now: Int64) -> Finding {
        guard let change = change(to: found) else {
            seen = nil
            return .same
        }
        if change == .emptied { wasEmptied = true }
        if !isSettling(found, change) { seen = (found, now) }
        guard let seen, now - seen.since >= Self.settlingTime else { return .changing(change) }
        return .changed(change, found: found)
    }

    private func change(to found: DatabaseFiles) -> DatabaseFiles.Change? {
        let change = opened.change(to: found)
        return wasEmptied && (change == nil || change == .logLost) ? .replaced : change
    }

    /// Whether the files are as they were at the last look.
    private func isSettling(_ found: DatabaseFiles, _ change: DatabaseFiles.Change) -> Bool {
        guard let seen else { return false }
        // Checkpoints go on writing to a database that has lost its log.
        guard change == .logLost else { return seen.found == found }
        return seen.found.log == found.log && seen.found.sharedMemory == found.sharedMemory
            && self.change(to: seen.found) == .logLost
    }
}
