import Logging

/// A disk that is full: what is held back on it is given to the log and the database, so that the oldest requests can be removed; no request
/// is taken in until room is held back again. Outcomes wait in memory meanwhile, as while a disk is bad.
extension QueueWriter {
    /// Between two tries while there is something to remove, in nanoseconds.
    private static let roomInterval: Int64 = 3_000_000

    /// Holds room back on the disk. Where there is not enough for it, and the rows here are what could make some, they do so before a request
    /// is taken in.
    func start() {
        guard let session, !disk.hold(), session.retention.canMakeRoom else { return }
        let problem = StorageProblem(.full, "the disk of the database \(reopening.configuration.databasePath) is full")
        fullProblem = problem
        health.wrote(problem)
    }

    /// After a write found no room.
    func noteFull(_ problem: StorageProblem) {
        // Where there is room, it is not the disk's want of it, and nothing that could be given back would help.
        guard problem.code == .full, fullProblem == nil, !disk.isRoomy else { return }
        disk.letGo()
        fullProblem = problem
        health.wrote(problem)
        nextTry = 0
    }

    /// Whether requests may be written: there is room, or it has been made.
    func hasRoom(_ session: WriterSession) -> Bool {
        guard fullProblem != nil else { return true }
        let now = monotonicNanoseconds()
        guard now >= nextTry else { return false }
        if !disk.hold() {
            // First: whatever is removed is written into the log, which must have been begun anew for that.
            let isLogEmpty = reopening.checkpointer.empty()
            if isLogEmpty, session.retention.isDue { removeSome(session.retention) }
            let isUnderWay = isLogEmpty && session.retention.isUnderWay
            nextTry = monotonicNanoseconds() + (isUnderWay ? Self.roomInterval : Self.probeInterval)
            guard disk.hold() else { return false }
        }
        fullProblem = nil
        return true
    }
}
