package import Core
package import NIOCore
import Queue

/// What operators and a changed configuration do.
extension DispatchMachine {
    /// The routes as they are now configured; also for those waiting.
    package mutating func routesChanged(_ routes: [Route], now: NIODeadline) {
        for route in routes {
            know(route)
            self.routes[route.key].route = route
            setHold(route.key)
        }
        settle(now)
    }

    /// An operator's hold timeout, also for those waiting; nil gives the configured one back.
    /// - Returns: Whether there is such a route.
    @discardableResult
    package mutating func setHoldTimeout(routeKey: Int, _ timeout: Duration?, now: NIODeadline) -> Bool {
        guard routes.indices.contains(routeKey) else { return false }
        routes[routeKey].holdOverride = timeout
        setHold(routeKey)
        settle(now)
        return true
    }

    /// The operator's hold timeout of a route, where there is one.
    package func holdTimeoutOverride(routeKey: Int) -> Duration? {
        routes.indices.contains(routeKey) ? routes[routeKey].holdOverride : nil
    }

    /// How many requests of a route may be with pods at once; nil for no bound.
    /// - Returns: Whether there is such a route.
    @discardableResult
    package mutating func setMaxConcurrency(routeKey: Int, _ bound: Int?, now: NIODeadline) -> Bool {
        guard routes.indices.contains(routeKey) else { return false }
        routes[routeKey].maxConcurrency = bound ?? .max
        if routes[routeKey].isFull {
            unreserveRoute(routeKey, now: now)
        } else {
            offerPods(toRoute: routeKey, now: now)
        }
        settle(now)
        return true
    }

    /// Nothing new is sent to this pod; it finishes what it has.
    /// - Returns: Whether there is such a pod.
    @discardableResult
    package mutating func drainPod(key: Int, now: NIODeadline) -> Bool {
        change(key, now: now) { $0.isDrained = true }
    }

    /// Undoes ``drainPod(key:now:)``.
    @discardableResult
    package mutating func undrainPod(key: Int, now: NIODeadline) -> Bool {
        change(key, now: now) { $0.isDrained = false }
    }

    /// Closes its breaker.
    @discardableResult
    package mutating func resetBreaker(podKey: Int, now: NIODeadline) -> Bool {
        change(podKey, now: now) { $0.breaker.reset() }
    }

    /// Dispatching stops; holding and its timeouts go on.
    package mutating func pause(now: NIODeadline) { isPaused = true }

    package mutating func resume(now: NIODeadline) {
        guard isPaused else { return }
        isPaused = false
        offerEverything(now: now)
        for line in lines.active { wantPods(for: lines[Int(line)].needs, now: now) }
        settle(now)
    }

    /// The gateway drains: what comes from now on is refused with `draining`; what waits goes on waiting.
    package mutating func beginDrain(now: NIODeadline) { isDraining = true }

    /// Refuses all that wait with `draining`, and from now on whatever would go back to its line.
    package mutating func refuseAllWaiting(now: NIODeadline) {
        isDraining = true
        refusesWaiting = true
        for slot in requests.slots(.waiting).sorted(by: { requests[$0].sequence < requests[$1].sequence }) {
            let entry = requests[slot]
            let refusal = refusal(
                .draining,
                "the gateway is shutting down",
                routeKey: Int(entry.routeKey),
                since: entry.arrivedAt,
                now: now
            )
            takeFromLine(slot, now: now)
            act(.refuse(requests.ticket(slot), refusal, afterBusy: entry.wasBusy))
            forget(slot)
        }
        settle(now)
    }

    private mutating func setHold(_ routeKey: Int) {
        let hold = TimeAmount(clamping: routes[routeKey].holdOverride ?? routes[routeKey].route.holdTimeout.value)
        guard hold != routes[routeKey].hold else { return }
        routes[routeKey].hold = hold
        renewDeadlines(routeKey: routeKey)
    }

    private mutating func change(_ key: Int, now: NIODeadline, _ body: (inout PodRecord) -> Void) -> Bool {
        guard let slot = pods.slot(key) else { return false }
        body(&pods[slot])
        refresh(slot, now: now)
        settle(now)
        return true
    }
}
