/// Bounds how many of the active requests may be repetitions of attempts that died, so that retries cannot become the load that
/// keeps pods from recovering. Where another pod is well it does not bound them: one pod of a few has more than this share when it dies.
package struct RetryBudget: Sendable {
    /// Of all active requests, waiting ones included.
    package var percent = 20
    /// Allowed however few are active: a share of a handful is none.
    package var minimum = 3

    package init(percent: Int = 20, minimum: Int = 3) {
        self.percent = percent
        self.minimum = minimum
    }

    /// Whether one more may be repeated.
    /// - Parameters:
    ///   - retrying: Live requests that are repetitions already.
    ///   - active: All live requests, this one included.
    func allows(retrying: Int, active: Int) -> Bool {
        retrying < max(minimum, active * percent / 100)
    }
}
