import Core
import NIOCore
import Queue

/// Which pod for a request, and which request for a pod.
extension DispatchMachine {
    /// The pod that the first of a line, or one who came to an empty line (-1), is to get; nil where none has room for it.
    func choosePod(needs: ResourceVector, routeKey: Int32, kept: KeptPods, line: Int32) -> Int? {
        let cutoff = softCutoff(for: needs)
        let avoidsKept = !kept.isEmpty && isHeldElsewhere(needs, kept)
        let avoidsGPUs = needs.gpus == 0
        let placement = configuration.placement
        var best = -1
        var bestRank = Int64.max
        pods.glances.withUnsafeBufferPointer { glances in
            let count = glances.count
            var slot = turn < count ? turn : 0
            for _ in 0..<count {
                defer { slot = slot + 1 == count ? 0 : slot + 1 }
                // Most pods have no room when it matters, so that is asked first.
                guard needs.fits(in: glances[slot].free), isOpen(glances[slot], routeKey, cutoff) else { continue }
                guard hasRoom(glances[slot], slot, needs, line) else { continue }
                if avoidsKept, kept.contains(glances[slot].key) { continue }
                var rank =
                    switch placement {
                    case .leastUtilized: glances[slot].utilization
                    case .bestFit: Self.leftOver(glances[slot], needs)
                    case .roundRobin: Int64(0)
                    }
                if avoidsGPUs, glances[slot].hasGPUs { rank += 1 << 40 }
                if rank < bestRank {
                    best = slot
                    bestRank = rank
                }
            }
        }
        return best < 0 ? nil : best
    }

    /// The line whose first goes to this pod: of those that fit, the one that came first.
    private func chooseLine(for slot: Int) -> Int? {
        let glance = pods.glance(slot)
        guard glance.isRoutable, glance.idle > 0 else { return nil }
        var best = -1
        for line in lines.active {
            let candidate = lines[Int(line)]
            guard candidate.needs.fits(in: glance.free), best < 0 || candidate.precedes(lines[best]) else { continue }
            let routeKey = Int32(truncatingIfNeeded: candidate.routeKey)
            let cutoff = glance.softShut == 0 ? 0 : softCutoff(for: candidate.needs)
            guard isOpen(glance, routeKey, cutoff), hasRoom(glance, slot, candidate.needs, line),
                !routes[candidate.routeKey].isFull
            else { continue }
            if candidate.kept.contains(glance.key), isHeldElsewhere(candidate.needs, candidate.kept) { continue }
            best = Int(line)
        }
        return best < 0 ? nil : best
    }

    // MARK: Conditions

    @inline(__always)
    private func isOpen(_ glance: PodGlance, _ routeKey: Int32, _ softCutoff: UInt32) -> Bool {
        glance.isRoutable
            && (glance.blockedRoute == -1 || (glance.blockedRoute >= 0 && glance.blockedRoute != routeKey))
            && (glance.softShut == 0 || glance.softShut > softCutoff)
    }

    /// Whether it fits what is free, less what is reserved for another line's first.
    @inline(__always)
    private func hasRoom(_ glance: PodGlance, _ slot: Int, _ needs: ResourceVector, _ line: Int32) -> Bool {
        guard needs.fits(in: glance.free), glance.idle > 0 else { return false }
        if glance.reservedLine < 0 || glance.reservedLine == line {
            return !glance.listsWorkers || pods[slot].ledger.fits(needs)
        }
        let reserved = lines[Int(glance.reservedLine)].needs
        if glance.listsWorkers { return pods[slot].ledger.fits(needs, besides: reserved) }
        return needs.fits(in: glance.free, besides: reserved) && glance.idle > 1
    }

    /// 5xx and timeouts exclude at most half of the pods that could hold a request, those first whose breakers opened first: the
    /// number in the order of opening up to which pods are excluded.
    private func softCutoff(for needs: ResourceVector) -> UInt32 {
        guard pods.softShutCount > 0 else { return 0 }
        var able = 0
        var shut: [UInt32] = []
        for glance in pods.glances where glance.isRoutable && needs.fits(in: glance.largest) {
            able += 1
            if glance.softShut > 0 { shut.append(glance.softShut) }
        }
        let excluded = able / 2
        if shut.count <= excluded { return .max }
        if excluded == 0 { return 0 }
        shut.sort()
        return shut[excluded - 1]
    }

    /// Whether a pod that it is not kept from could hold a request. One that its breaker shuts out is none: it may be shut out for longer
    /// than the hold, while there is room on the pod where the request died.
    private func isHeldElsewhere(_ needs: ResourceVector, _ kept: KeptPods) -> Bool {
        let cutoff = softCutoff(for: needs)
        return pods.glances.contains { glance in
            glance.isRoutable && (glance.softShut == 0 || glance.softShut > cutoff) && needs.fits(in: glance.largest)
                && !kept.contains(glance.key)
        }
    }

    /// Whether a pod other than one could hold a request, and nothing has failed on it since it last answered.
    func isAnotherWell(for needs: ResourceVector, besides key: Int) -> Bool {
        pods.indices.contains { slot in
            let glance = pods.glance(slot)
            return glance.isRoutable && glance.key != key && needs.fits(in: glance.largest) && pods[slot].breaker.isWell
        }
    }

    /// What would be left of a pod, in millionths summed over what it has.
    private static func leftOver(_ glance: PodGlance, _ needs: ResourceVector) -> Int64 {
        let left = glance.free - needs
        var sum: Int64 = 0
        if glance.largest.cpus > 0 { sum += left.cpus * 1_000_000 / glance.largest.cpus }
        if glance.largest.gpus > 0 { sum += left.gpus * 1_000_000 / glance.largest.gpus }
        if glance.largest.memory > 0 { sum += left.memory * 1_000_000 / glance.largest.memory }
        return sum
    }

    // MARK: Offers

    /// Remembers that a pod may have room that nobody was offered.
    mutating func markDirty(_ slot: Int) {
        guard !pods[slot].isDirty else { return }
        pods[slot].isDirty = true
        dirty.append(slot)
    }

    /// Makes good what the event left undone: ends every event.
    mutating func settle(_ now: NIODeadline) {
        while true {
            if hasLostPod {
                hasLostPod = false
                offerToRestricted(now)
            } else if let slot = dirty.popLast() {
                guard pods.isInUse(slot) else { continue }
                pods[slot].isDirty = false
                offer(slot, now: now)
            } else {
                return
            }
        }
    }

    /// Gives a pod to those who wait, while it has room; then polls it where that could show more.
    private mutating func offer(_ slot: Int, now: NIODeadline) {
        guard lines.count > 0, !isHalted else { return }
        while let line = chooseLine(for: slot) { dispatchHead(of: line, to: slot, now: now) }
        if pods[slot].ledger.mayHaveMore, isWanted(slot) { askPoll(slot, isUrgent: true, now: now) }
    }

    /// Finds pods for a line, while there are any.
    mutating func offerPods(toLine line: Int, now: NIODeadline) {
        while lines[line].count > 0, !isHalted, !routes[lines[line].routeKey].isFull {
            let candidate = lines[line]
            let routeKey = Int32(truncatingIfNeeded: candidate.routeKey)
            let pod = choosePod(
                needs: candidate.needs,
                routeKey: routeKey,
                kept: candidate.kept,
                line: Int32(truncatingIfNeeded: line)
            )
            guard let pod else { return }
            dispatchHead(of: line, to: pod, now: now)
        }
    }

    /// Finds pods for the lines of a route that was full.
    mutating func offerPods(toRoute routeKey: Int, now: NIODeadline) {
        guard lines.count > 0 else { return }
        var ofRoute: [Int] = []
        lines.forEach(ofRoute: routeKey) { ofRoute.append($0) }
        ofRoute.sort { lines[$0].precedes(lines[$1]) }
        for line in ofRoute where lines[line].count > 0 {
            offerPods(toLine: line, now: now)
            if lines[line].count > 0 { headChanged(line, now: now) }
        }
    }

    /// Finds pods for everyone, in order: after a change that may let any pod take anything.
    mutating func offerEverything(now: NIODeadline) {
        for slot in pods.indices { markDirty(slot) }
        for line in lines.active.map({ Int($0) }).sorted(by: { lines[$0].precedes(lines[$1]) })
        where lines[line].count > 0 {
            offerPods(toLine: line, now: now)
        }
    }

    /// A pod went out of use. Those kept from another may have nobody else now, and half of the pods are fewer.
    private mutating func offerToRestricted(_ now: NIODeadline) {
        guard lines.count > 0 else { return }
        for line in lines.active.map({ Int($0) }) where lines[line].count > 0 && !lines[line].kept.isEmpty {
            offerPods(toLine: line, now: now)
        }
        guard pods.softShutCount > 0 else { return }
        for slot in pods.indices where pods.glance(slot).softShut != 0 { markDirty(slot) }
    }

    private mutating func dispatchHead(of line: Int, to pod: Int, now: NIODeadline) {
        let slot = Int(lines[line].head)
        takeFromLine(slot, now: now)
        lease(slot, to: pod, now: now)
        act(.dispatch(requests.ticket(slot), pods[pod].pod))
    }
}
