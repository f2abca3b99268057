import Core
import NIOConcurrencyHelpers
import NIOCore
import OpenAPI

/// What all connections of one pod share.
final class PodState: Sendable {
    let configuration: TaskPodConfiguration
    /// Needs by the document's operations; nil without a document.
    let operations: PathMatcher<ResourceVector>?
    let startedAt = NIODeadline.now()
    private let ledger: NIOLockedValueBox<AdmissionLedger>
    /// Apart from the ledger, whose copies for reports are to stay small.
    private let ran: NIOLockedValueBox<RequestHistory>
    /// Succeeds when draining has begun and nothing runs any more.
    private let idle: EventLoopPromise<Void>

    init(_ configuration: TaskPodConfiguration, eventLoop: any EventLoop) {
        self.configuration = configuration
        let defaults = configuration.defaultNeeds
        operations = configuration.document?.matcher { $0.settings.needs.filled(from: defaults) }
        ledger = NIOLockedValueBox(
            AdmissionLedger(
                total: configuration.total,
                workers: configuration.workers,
                form: configuration.capacityForm,
                now: .now()
            )
        )
        ran = NIOLockedValueBox(RequestHistory(limit: configuration.rememberedRequests))
        idle = eventLoop.makePromise()
    }

    /// What a request needs: `Neutrino-Resources`, else the document, else the default. OPTIONS needs nothing.
    /// - Returns: nil where the field is there and cannot be read.
    func needs(of head: RequestHead) -> ResourceVector? {
        if head.fields.contains(ResourceHeader.resources) {
            return ResourceHeader.read(ResourceHeader.resources, from: head.fields)
        }
        if let operations {
            let found = head.target.withUnsafeReadableBytes { operations.match($0, method: head.method) }
            if let found { return found }
        }
        return head.method == .options ? .zero : configuration.defaultNeeds
    }

    // MARK: The ledger

    func admit(_ needs: ResourceVector, id: String?) throws(AdmissionLedger.Refusal) {
        let now = NIODeadline.now()
        let result = ledger.withLockedValue { ledger in
            Result { () throws(AdmissionLedger.Refusal) in try ledger.admit(needs, now: now) }
        }
        try result.get()
        if let id { ran.withLockedValue { $0.record(id) } }
    }

    /// Gives back what was admitted.
    /// - Returns: What is free then.
    @discardableResult
    func release(_ needs: ResourceVector, as outcome: AdmissionLedger.Outcome) -> ResourceVector {
        let now = NIODeadline.now()
        let (free, isDone) = ledger.withLockedValue { ledger in
            ledger.release(needs, as: outcome, now: now)
            return (ledger.free, ledger.isDraining && ledger.runsNothing)
        }
        if isDone { idle.succeed() }
        return free
    }

    var free: ResourceVector { ledger.withLockedValue { $0.free } }

    func setReady(_ isReady: Bool) { ledger.withLockedValue { $0.isReady = isReady } }

    var isReady: Bool { ledger.withLockedValue { $0.isReady } }

    var isDraining: Bool { ledger.withLockedValue { $0.isDraining } }

    /// From now on no task is taken.
    /// - Returns: What succeeds when nothing runs any more.
    func drain() -> EventLoopFuture<Void> {
        let isDone = ledger.withLockedValue { ledger in
            ledger.drain()
            return ledger.runsNothing
        }
        if isDone { idle.succeed() }
        return idle.futureResult
    }

    /// For a server that never started or was stopped at once.
    func forget() { idle.succeed() }

    func statistics() -> PodStatistics {
        let now = NIODeadline.now()
        return ledger.withLockedValue { $0.statistics(at: now) }
    }

    /// The ids that ran more than once, with their counts.
    var repeatedRequests: [String: Int] { ran.withLockedValue { $0.repeated } }

    func history() -> RequestHistory { ran.withLockedValue { $0 } }

    /// A consistent view, for reports.
    func snapshot() -> AdmissionLedger { ledger.withLockedValue { $0 } }
}
