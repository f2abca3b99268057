package import Core
import NIOCore
package import Queue

/// What operators ask and change.
extension RequestDispatcher {
    /// The routes as they are now configured, with what operators set over them: a route may be new to this process and still
    /// have such a value.
    /// - Parameter controls: See ``controlsChanged(_:)``.
    package func routesChanged(_ routes: [Route], controls: @Sendable () -> OperatorControls) {
        machine.routesChanged(routes, now: .now())
        machine.adopt(controls(), now: .now())
        settle()
    }

    /// What operators set, at once and for those waiting too.
    /// - Parameter controls: Asked here and not before, so that whichever of two changes comes last finds both.
    package func controlsChanged(_ controls: @Sendable () -> OperatorControls) {
        machine.adopt(controls(), now: .now())
        settle()
    }

    /// Drains a pod, takes that back, or closes its breaker.
    /// - Returns: The pod afterwards, and whether this changed it; nil where there is no such pod.
    package func change(_ change: PodChange, podID: String) -> (pod: PodSnapshot, hasChanged: Bool)? {
        handleMail()
        let now = NIODeadline.now()
        guard let before = machine.podSnapshot(id: podID, now: now) else { return nil }
        let key = before.pod.key
        switch change {
        case .drain: machine.drainPod(key: key, now: now)
        case .undrain: machine.undrainPod(key: key, now: now)
        case .resetBreaker: machine.resetBreaker(podKey: key, now: now)
        }
        settle()
        guard let after = machine.podSnapshot(id: podID, now: now) else { return nil }
        return (after, after.isDrained != before.isDrained || after.breaker != before.breaker)
    }

    /// Takes a request out of its line; its client gets 503.
    /// - Returns: Whether it waited.
    package func cancel(_ id: RequestID) -> Bool { cancel([id]) > 0 }

    /// Takes requests out of their lines, with one look at all that there are.
    /// - Returns: How many of them waited.
    @discardableResult
    package func cancel(_ ids: Set<RequestID>) -> Int {
        guard !ids.isEmpty else { return 0 }
        handleMail()
        var cancelled = 0
        for case .some(let exchange) in exchanges where ids.contains(exchange.request.id) {
            guard let ticket = exchange.ticket, machine.isWaiting(ticket) == true else { continue }
            cancelled += 1
            forget(exchange)
            machine.cancel(ticket, now: .now())
            exchange.eventLoop.execute {
                exchange.refuse(Refusal(reason: .operatorCancelled, detail: "an operator cancelled the request"))
            }
        }
        settle()
        return cancelled
    }

    package func queueSnapshot() -> QueueSnapshot {
        var snapshot = machine.queueSnapshot(now: .now())
        for index in snapshot.lines.indices {
            snapshot.lines[index].firstID = exchanges[Int(snapshot.lines[index].first.slot)]?.request.id
        }
        return snapshot
    }

    /// How many wait, and since when.
    package var depth: QueueSnapshot.Depth { machine.depth(now: .now()) }

    /// Both at once, without the reasons in words.
    package func snapshots() -> (queue: QueueSnapshot, pods: [PodSnapshot]) {
        let now = NIODeadline.now()
        return (machine.queueSnapshot(now: now, explains: false), machine.podSnapshots(now: now))
    }

    package func podSnapshots() -> [PodSnapshot] { machine.podSnapshots(now: .now()) }

    /// Requests that wait, and requests that pods have.
    package var load: (waiting: Int, leased: Int) { (machine.waitingCount, machine.leasedCount) }
}

/// What an operator does to a pod. Forgotten when the gateway ends, and when the pod goes away.
package enum PodChange: Sendable {
    /// Nothing new is sent to it; it finishes what it has.
    case drain
    case undrain
    case resetBreaker
}
