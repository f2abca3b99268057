package import Core
import Logging

/// The journal on SQLite (see ``RequestJournal``): hands over to the writer's thread, which commits in groups, and counts what goes by.
package final class GroupCommitJournal: RequestJournal {
    private let buffer: WriterBuffer
    private let health: StorageHealth
    private let meter: RequestMeter
    private let logger: Logger

    init(buffer: WriterBuffer, health: StorageHealth, meter: RequestMeter, logger: Logger) {
        self.buffer = buffer
        self.health = health
        self.meter = meter
        self.logger = logger
    }

    package func insert(_ request: QueuedRequest, pod: Pod?, receiver: any CommitReceiver) {
        buffer.insert(request, pod: pod, receiver: receiver)
    }

    package func attempt(_ request: QueuedRequest, number: Int, pod: Pod, receiver: any CommitReceiver) {
        buffer.attempt(request, number: number, pod: pod, receiver: receiver)
    }

    package func end(_ outcome: Outcome) {
        assert(outcome.state.isTerminal, "a request ends in a terminal state")
        meter.ended(outcome)
        if !buffer.end(outcome) {
            logger.error("An outcome came after the queue was closed", metadata: ["request.id": "\(outcome.id)"])
        }
    }

    @discardableResult
    package func rejected(_ rejection: Rejection) -> RequestID {
        meter.rejected(rejection)
        return buffer.reject(rejection)
    }

    package func newID() -> RequestID { buffer.newID() }

    package func discard(_ body: SpooledBody) { buffer.discard(body) }

    package var unavailable: StorageProblem? { health.problem }
}
