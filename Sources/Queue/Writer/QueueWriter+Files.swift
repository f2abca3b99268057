import Logging

/// The database's files, which somebody may remove or replace while they are open: what is then committed is in no file that a next start
/// would find.
extension QueueWriter {
    /// What may be written to now; nil, with ``filesProblem`` saying why, where nothing may.
    ///
    /// The files are looked at before something is written, at most every 100 ms. Where they are not those that were opened, and have been
    /// so for a second, the database is opened again.
    func usableSession() -> WriterSession? {
        let now = monotonicNanoseconds()
        guard now >= nextLook else { return filesProblem == nil ? session : nil }
        nextLook = now + Self.lookInterval
        let found = DatabaseFiles(path: reopening.configuration.databasePath)
        switch watch.look(found, now: now) {
        case .same where session != nil:
            if filesProblem != nil { isWell() }
        case .same:
            // The files are back, but were closed meanwhile.
            reopen(.logLost, found: found)
        case .changing(let change):
            // Its pages are gone: to move the log's into it would make it a database with holes.
            if watch.wasEmptied { reopening.checkpointer.detach() }
            isUnwell(problem("\(change.description)"))
        case .changed(let change, let found):
            reopen(change, found: found)
        }
        return filesProblem == nil ? session : nil
    }

    private func reopen(_ change: DatabaseFiles.Change, found: DatabaseFiles) {
        // A database that is made beside it would be taken for the log's own.
        guard !watch.opened.isLogOfAnother(found) else {
            let words = "a write-ahead log that is not its own lies there, and its database is waited for"
            isUnwell(problem("\(change.description); \(words)"))
            return
        }
        do {
            if let session {
                try rescueLog(session, change)
                try reopening.closeReaders(session.connection)
                self.session = nil
                watch.opened.removeRemains(path: reopening.configuration.databasePath, after: change, found: found)
            }
            let reopened = try reopening.open { open.contains($0) }
            take(reopened)
            logger.error(
                "The database was opened again, since its file was not the one that was open",
                metadata: [
                    "path": "\(reopening.configuration.databasePath)", "found": "\(change.description)",
                    "underway": "\(open.count)", "abandoned": "\(reopened.recovery.abandoned)",
                    "interrupted": "\(reopened.recovery.interrupted)",
                ]
            )
            isWell()
        } catch {
            isUnwell(problem("\(change.description), and cannot be opened again: \(error)"))
        }
    }

    /// What was committed is to be in the file that was open: it may have been moved elsewhere.
    private func rescueLog(_ session: WriterSession, _ change: DatabaseFiles.Change) throws {
        do {
            // Tried again with the next look where it has to be whole; else this is the only try, and may wait for readers.
            if !watch.wasEmptied { try reopening.rescueLog(session.connection, waits: change != .logLost) }
        } catch {
            // Only where the next database is the same file does anything depend on it.
            if change == .logLost { throw error }
        }
    }

    private func take(_ reopened: DatabaseReopening.Reopened) {
        session = reopened.session
        watch = DatabaseWatch(opened: reopened.files)
        // Of what was committed before, nothing is known to have a row here.
        buffer.lastUnwritten = largestID
        largestID = max(largestID, reopened.recovery.largestID)
        buffer.idsGoOn(after: largestID)
        savedMark = 0
        lowWaterMark.value = lowWater
    }

    private func problem(_ words: String) -> StorageProblem {
        StorageProblem(.broken, "the database \(reopening.configuration.databasePath) \(words)")
    }

    private func isUnwell(_ problem: StorageProblem) {
        filesProblem = problem
        health.wrote(problem)
    }

    private func isWell() {
        filesProblem = nil
        health.wrote(nil)
    }
}
