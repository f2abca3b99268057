import Dispatcher
import Logging
import Queue

/// How operators change something: kept or done, recorded, and told to the log.
struct Operators: Sendable {
    let subjects: AdminServer.Subjects
    let logger: Logger

    /// Sets what survives a restart: kept and recorded first, then in force, so that what an operator was told to be set survives a crash.
    func set(_ changes: [ControlChange], by author: ChangeAuthor) async throws {
        let settings = subjects.queue.settings
        let recorded = try await settings.apply(changes, by: author)
        await subjects.dispatcher.controlsChanged { settings.controls }
        for record in recorded { tell(record, author) }
    }

    /// Records what was done already and leaves nothing in the settings. That the disk is full must not keep an operator from it: what
    /// cannot be recorded is in the log at least.
    func record(_ change: ChangeRecord, by author: ChangeAuthor) async {
        tell(change, author)
        do {
            try await subjects.queue.changes.record(change, by: author)
        } catch {
            logger.error("An operator's change could not be recorded", metadata: ["error": "\(error)"])
        }
    }

    private func tell(_ change: ChangeRecord, _ author: ChangeAuthor) {
        var facts: Logger.Metadata = [
            "action": "\(change.action.rawValue)", "by": "\(author.name)", "client": "\(author.client)",
        ]
        if let subject = change.subject { facts["subject"] = "\(subject)" }
        if let value = change.to { facts["to"] = "\(value)" }
        logger.notice("An operator changed something", metadata: facts)
    }
}
