package import Core
package import NIOCore
import Queue

/// What is heard of pods, and what is asked of those who poll them.
extension DispatchMachine {
    /// These are all pods now.
    package mutating func podsChanged(_ pods: [Pod], now: NIODeadline) {
        let present = Set(pods.map(\.key))
        for slot in self.pods.indices where !present.contains(self.pods[slot].pod.key) && !self.pods[slot].isGone {
            self.pods[slot].isGone = true
            refresh(slot, now: now)
            if self.pods[slot].ledger.openCount == 0 { self.pods.remove(slot) }
        }
        for pod in pods {
            let slot =
                self.pods.slot(pod.key)
                ?? self.pods.insert(
                    PodRecord(
                        pod: pod,
                        ledger: PodLedger(settlingTime: configuration.settlingTime),
                        breaker: Breaker(configuration.breaker)
                    )
                )
            self.pods[slot].pod = pod
            self.pods[slot].isGone = false
            refresh(slot, now: now)
            if lines.count > 0 { beUrgentIfWanted(slot, now: now) }
        }
        countServing(now: now)
        settle(now)
    }

    /// A poll was sent and came back. Its open leases' ``written(_:at:)`` come before it.
    package mutating func sampled(
        _ pod: Pod,
        _ report: CapacityReport,
        sentAt: NIODeadline,
        receivedAt: NIODeadline,
        now: NIODeadline
    ) {
        guard let slot = pods.slot(pod.key) else { return }
        let largest = pods[slot].ledger.largestRequest
        pods[slot].counts.polls += 1
        pollReturned(slot, sentAt: sentAt)
        guard pods[slot].ledger.sampled(report, sentAt: sentAt, receivedAt: receivedAt) else { return }
        pods[slot].failedPolls = 0
        pods[slot].pollProblem = nil
        let ledger = pods[slot].ledger
        pods[slot].resting.sampled(sentAt: sentAt, now: now) { ledger.fits($0) }
        if let change = pods[slot].nextChange(after: now, configuration) { podsWake = min(podsWake, change) }
        refresh(slot, now: now)
        if pods[slot].ledger.largestRequest != largest { totalsChanged(slot, now: now) }
        markDirty(slot)
        settle(now)
    }

    /// A poll failed.
    package mutating func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, now: NIODeadline) {
        guard let slot = pods.slot(pod.key) else { return }
        pollReturned(slot, sentAt: sentAt)
        pods[slot].counts.polls += 1
        pods[slot].counts.pollsFailed += 1
        pods[slot].failedPolls += 1
        pods[slot].pollProblem = problem
        refresh(slot, now: now)
        settle(now)
    }

    /// A pod told of its capacity on an answer (`Neutrino-Capacity`). Never entered in the ledger; polled where it disagrees: where it is
    /// less than is thought free, or where it is more than that and all that is leased here, and someone waits for it.
    package mutating func capacityHint(_ pod: Pod, _ available: ResourceVector, now: NIODeadline) {
        guard let slot = pods.slot(pod.key), !pods[slot].isGone else { return }
        let ledger = pods[slot].ledger
        if !ledger.free.fits(in: available) {
            askPoll(slot, isUrgent: true, now: now)
        } else if !available.fits(in: ledger.free + ledger.held), isWanted(slot) {
            askPoll(slot, isUrgent: true, now: now)
        }
    }

    /// Brings a pod's glance up to date, and does what follows where it came into use or went out of it.
    mutating func refresh(_ slot: Int, now: NIODeadline) {
        let before = pods.glance(slot)
        pods.refresh(slot, now: now, configuration: configuration)
        let after = pods.glance(slot)
        let isServing = pods[slot].isServing(now, configuration)
        if isServing != pods[slot].isServing {
            pods[slot].isServing = isServing
            countServing(now: now)
        }
        guard before.isRoutable != after.isRoutable || before.softShut != after.softShut else { return }
        if after.isRoutable, after.softShut == 0 {
            reserveForOldest(slot, now: now)
            markDirty(slot)
        } else {
            hasLostPod = true
            moveReservation(from: slot, now: now)
        }
    }

    private mutating func totalsChanged(_ slot: Int, now: NIODeadline) {
        let glance = pods.glance(slot)
        if glance.reservedLine >= 0, !lines[Int(glance.reservedLine)].needs.fits(in: glance.largest) {
            moveReservation(from: slot, now: now)
        } else {
            reserveForOldest(slot, now: now)
        }
        hasLostPod = true
        if lines.count > 0 { beUrgentIfWanted(slot, now: now) }
    }

    /// Deadlines differ while there is no pod.
    private mutating func countServing(now: NIODeadline) {
        servingCount = pods.indices.count { pods[$0].isServing }
        guard (podless != nil) != (servingCount == 0) else { return }
        podless = servingCount == 0 ? now : nil
        if servingCount > 0 { servingSince = now }
        if configuration.holdTimeoutNoPods != nil { renewDeadlines(routeKey: nil) }
    }

    // MARK: Polling

    private mutating func pollReturned(_ slot: Int, sentAt: NIODeadline) {
        if let askedAt = pods[slot].pollAskedAt, sentAt >= askedAt { pods[slot].pollAskedAt = nil }
    }

    /// Asks for a poll, unless one is on its way already.
    /// - Parameter isUrgent: Whether it is only for those who wait: then within bounds over all pods.
    mutating func askPoll(_ slot: Int, isUrgent: Bool = false, now: NIODeadline) {
        guard !pods[slot].isGone else { return }
        if let askedAt = pods[slot].pollAskedAt, now < askedAt + configuration.capacityTimeout + .seconds(1) { return }
        if isUrgent, !pollPace.allows(now: now) { return }
        pods[slot].pollAskedAt = now
        act(.poll(pods[slot].pod))
    }

    /// Whether someone waits whom a pod could hold, as far as is known.
    func isWanted(_ slot: Int) -> Bool {
        guard !pods[slot].isGone, !pods[slot].isDraining, !isHalted else { return false }
        if pods[slot].ledger.receivedAt == nil { return lines.count > 0 }
        let largest = pods.glance(slot).largest
        return lines.active.contains {
            let line = lines[Int($0)]
            return line.needs.fits(in: largest) && !routes[line.routeKey].isPaused
        }
    }

    /// Someone begins to wait: the pods that could hold it are polled faster, and at once where that could show room.
    mutating func wantPods(for needs: ResourceVector, now: NIODeadline) {
        guard !isHalted else { return }
        for slot in pods.glances.indices where pods.isInUse(slot) {
            guard needs.fits(in: pods.glance(slot).largest) || pods[slot].ledger.receivedAt == nil else { continue }
            guard !pods[slot].isGone, !pods[slot].isDraining else { continue }
            beUrgent(slot, now: now)
            if pods[slot].ledger.mayHaveMore { askPoll(slot, isUrgent: true, now: now) }
        }
    }

    private mutating func beUrgentIfWanted(_ slot: Int, now: NIODeadline) {
        if isWanted(slot) { beUrgent(slot, now: now) }
    }

    private mutating func beUrgent(_ slot: Int, now: NIODeadline) {
        guard !pods[slot].isUrgent else { return }
        // All pods together are polled so often at most.
        let share = TimeAmount.nanoseconds(
            1_000_000_000 * Int64(pods.count) / Int64(max(configuration.urgentPollsPerSecond, 1))
        )
        let interval = max(configuration.urgentInterval, share)
        guard interval < configuration.capacityInterval else { return }
        pods[slot].isUrgent = true
        act(.setInterval(pods[slot].pod, interval))
        paceWake = min(paceWake, now + .seconds(1))
    }

    /// Gives the configured pace back to the pods that nobody waits for any more. Looked at once a second, so that a line that empties
    /// and fills does not make it flutter.
    mutating func calmDown(now: NIODeadline) {
        paceWake = .distantFuture
        for slot in pods.indices where pods[slot].isUrgent {
            if isWanted(slot) {
                paceWake = now + .seconds(1)
            } else {
                pods[slot].isUrgent = false
                act(.setInterval(pods[slot].pod, nil))
            }
        }
    }
}
