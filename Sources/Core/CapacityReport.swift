/// What a pod answered to `GET /capacity`.
package struct CapacityReport: Equatable, Sendable {
    /// One worker of a pod that reports them one by one; a lease takes one whole.
    package struct Worker: Equatable, Sendable {
        package var available: ResourceVector
        package var isIdle: Bool

        package init(available: ResourceVector, isIdle: Bool) {
            self.available = available
            self.isIdle = isIdle
        }
    }

    /// What is free.
    package var available: ResourceVector
    /// What there is; nil where the pod does not say.
    package var total: ResourceVector?
    /// Workers that are idle, where the pod counts them: each lease takes one.
    package var idleWorkers: Int?
    package var totalWorkers: Int?
    /// The workers one by one, where the pod lists them (the nested form).
    package var workers: [Worker]?

    package init(
        available: ResourceVector,
        total: ResourceVector? = nil,
        idleWorkers: Int? = nil,
        totalWorkers: Int? = nil,
        workers: [Worker]? = nil
    ) {
        self.available = available
        self.total = total
        self.idleWorkers = idleWorkers
        self.totalWorkers = totalWorkers
        self.workers = workers
    }
}
