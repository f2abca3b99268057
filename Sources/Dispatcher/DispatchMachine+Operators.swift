package import Core
package import NIOCore
package import Queue

/// What operators and a changed configuration do.
extension DispatchMachine {
    /// The routes as they are now configured; also for those waiting.
    package mutating func routesChanged(_ routes: [Route], now: NIODeadline) {
        for route in routes {
            know(route)
            self.routes[route.key].route = route
            setHold(route.key)
            boundChanged(route.key, now: now)
        }
        settle(now)
    }

    /// What operators set, as it is now: also for those waiting. What is in force already stays untouched.
    package mutating func adopt(_ controls: OperatorControls, now: NIODeadline) {
        if controls.isPaused { pause(now: now) }
        for key in routes.indices {
            let id = routes[key].route.id
            setHoldTimeout(routeKey: key, controls.holdTimeouts[id], now: now)
            setMaxConcurrency(routeKey: key, controls.maxConcurrency[id], now: now)
            setPaused(routeKey: key, controls.pausedRoutes.contains(id), now: now)
        }
        if !controls.isPaused { resume(now: now) }
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

    /// An operator's bound on how many requests of a route may be with pods at once; nil gives the configured one back.
    /// - Returns: Whether there is such a route.
    @discardableResult
    package mutating func setMaxConcurrency(routeKey: Int, _ bound: Int?, now: NIODeadline) -> Bool {
        guard routes.indices.contains(routeKey) else { return false }
        routes[routeKey].concurrencyOverride = bound
        boundChanged(routeKey, now: now)
        settle(now)
        return true
    }

    /// Nothing of this route is dispatched; holding and its timeouts go on, and what pods have already ends as usual.
    /// - Returns: Whether there is such a route.
    @discardableResult
    package mutating func setPaused(routeKey: Int, _ isPaused: Bool, now: NIODeadline) -> Bool {
        guard routes.indices.contains(routeKey) else { return false }
        guard routes[routeKey].isPaused != isPaused else { return true }
        routes[routeKey].isPaused = isPaused
        boundChanged(routeKey, now: now)
        if !isPaused { lines.forEach(ofRoute: routeKey) { wantPods(for: lines[$0].needs, now: now) } }
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

    /// Works out how many of a route may be with pods, and uses what that gives, or gives up what it takes.
    private mutating func boundChanged(_ routeKey: Int, now: NIODeadline) {
        let bound = routes[routeKey].isPaused ? 0 : routes[routeKey].maxConcurrency ?? .max
        guard bound != routes[routeKey].mostLeased else { return }
        routes[routeKey].mostLeased = bound
        if routes[routeKey].isFull {
            unreserveRoute(routeKey, now: now)
        } else {
            offerPods(toRoute: routeKey, now: now)
        }
    }

    private mutating func change(_ key: Int, now: NIODeadline, _ body: (inout PodRecord) -> Void) -> Bool {
        guard let slot = pods.slot(key) else { return false }
        body(&pods[slot])
        refresh(slot, now: now)
        settle(now)
        return true
    }
}
