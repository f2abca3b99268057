import NIOConcurrencyHelpers

/// Whether the gateway is ready, as `/ready` tells it: written by whoever knows, read by handlers on any thread.
package final class HealthState: Sendable {
    private struct State {
        var databaseOpen = false
        var discoveryTried = false
        var draining = false
        var problems: [String: String] = [:]
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// The database is open and recovered.
    package func databaseOpened() {
        state.withLockedValue { $0.databaseOpen = true }
    }

    /// Discovery was tried once, with whatever result.
    package func discoveryWasTried() {
        state.withLockedValue { $0.discoveryTried = true }
    }

    /// No more requests are to come here; never taken back.
    package func beginDraining() {
        state.withLockedValue { $0.draining = true }
    }

    /// Tells, or with nil takes back, what is wrong with a part (`discovery`, `pods`, `storage`): in the body of `/ready`, at 200.
    package func report(_ problem: String?, about part: String) {
        state.withLockedValue { $0.problems[part] = problem }
    }

    /// Everything at one moment.
    package var report: HealthReport {
        state.withLockedValue {
            HealthReport(
                databaseOpen: $0.databaseOpen,
                discoveryTried: $0.discoveryTried,
                draining: $0.draining,
                problems: $0.problems
            )
        }
    }
}

/// What `/ready` answers. Trouble with pods does not make the gateway unready: holding requests until it passes is its point. Trouble with
/// the disk does: every request is refused, and another gateway may take it.
package struct HealthReport: Sendable, Equatable {
    package var databaseOpen: Bool
    package var discoveryTried: Bool
    package var draining: Bool
    /// By part, in words.
    package var problems: [String: String]

    /// Whether the answer is 200 and not 503.
    package var isReady: Bool { databaseOpen && discoveryTried && !draining && problems["storage"] == nil }

    private var status: String {
        if draining { return "draining" }
        guard databaseOpen, discoveryTried else { return "starting" }
        return isReady ? "ready" : "storage_unavailable"
    }

    /// The body of the answer.
    package var json: String {
        var writer = JSONText()
        writer.raw("{")
        writer.member("status", status)
        writer.raw(",\"database_open\":\(databaseOpen),\"discovery_tried\":\(discoveryTried),\"problems\":{")
        var first = true
        for (part, problem) in problems.sorted(by: { $0.key < $1.key }) {
            if !first { writer.raw(",") }
            first = false
            writer.member(part, problem)
        }
        writer.raw("}}\n")
        return writer.text
    }
}
