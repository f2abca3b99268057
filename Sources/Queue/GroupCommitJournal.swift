package import Core

/// The journal on SQLite: see ``RequestJournal``.
package final class GroupCommitJournal: RequestJournal {
    package func insert(_ request: QueuedRequest, pod: Pod?, receiver: any CommitReceiver) {}
    package func attempt(_ request: QueuedRequest, number: Int, pod: Pod, receiver: any CommitReceiver) {}
    package func end(_ outcome: Outcome) {}
    package func rejected(_ rejection: Rejection) {}
    package var unavailable: StorageProblem? { nil }
}
