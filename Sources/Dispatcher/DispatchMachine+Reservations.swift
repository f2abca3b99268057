import Core
import NIOCore
import Queue

/// Reservations: what keeps large requests from starving behind small ones that are let past them.
///
/// The first of a line that has waited for `RESERVE_AFTER` has a pod reserved: others may use of it only what the reserved request does
/// not need, so that what gets free there adds up. A pod is reserved for one line at most; a replay reserves nothing.
extension DispatchMachine {
    /// A line has another first: it may be due, or will be.
    mutating func headChanged(_ line: Int, now: NIODeadline) {
        guard lines[line].reservedPod < 0, lines[line].priority == .live else { return }
        let due = lines[line].headArrivedAt + configuration.reserveAfter
        if due <= now { reserve(line, now: now) } else { reserveWake = min(reserveWake, due) }
    }

    /// Reserves the pod for a line's first that lacks least for it, of those routable that could hold it and are free to be reserved.
    mutating func reserve(_ line: Int, now: NIODeadline) {
        let candidate = lines[line]
        guard candidate.reservedPod < 0, !routes[candidate.routeKey].isFull else { return }
        var best = -1
        var bestRank = Double.infinity
        for (slot, glance) in pods.glances.enumerated() where mayReserve(glance, candidate) && glance.reservedLine < 0 {
            let rank = Self.lacking(glance, candidate.needs)
            if rank < bestRank {
                best = slot
                bestRank = rank
            }
        }
        guard best >= 0 else { return }
        lines[line].reservedPod = Int32(best)
        pods.reserve(best, for: Int32(line))
    }

    /// A pod is free to be reserved, or its totals changed: the line that came first of those due gets it.
    mutating func reserveForOldest(_ slot: Int, now: NIODeadline) {
        let glance = pods.glance(slot)
        guard glance.reservedLine < 0, glance.isRoutable else { return }
        var best = -1
        for line in lines.active {
            let candidate = lines[Int(line)]
            guard candidate.reservedPod < 0, candidate.priority == .live, mayReserve(glance, candidate),
                candidate.headArrivedAt + configuration.reserveAfter <= now, !routes[candidate.routeKey].isFull,
                best < 0 || candidate.precedes(lines[best])
            else { continue }
            best = Int(line)
        }
        guard best >= 0 else { return }
        lines[best].reservedPod = Int32(slot)
        pods.reserve(slot, for: Int32(best))
    }

    /// Ends a line's reservation; another line may get the pod, and others use it.
    mutating func unreserve(_ line: Int, now: NIODeadline) {
        let slot = Int(lines[line].reservedPod)
        guard slot >= 0 else { return }
        lines[line].reservedPod = -1
        pods.reserve(slot, for: -1)
        reserveForOldest(slot, now: now)
        markDirty(slot)
    }

    /// A route may send no more for now: what is reserved for it would lie idle.
    mutating func unreserveRoute(_ routeKey: Int, now: NIODeadline) {
        var reserved: [Int] = []
        lines.forEach(ofRoute: routeKey) { if lines[$0].reservedPod >= 0 { reserved.append($0) } }
        for line in reserved { unreserve(line, now: now) }
    }

    /// A pod can no longer serve the line that it is reserved for: the line gets another, if there is one.
    mutating func moveReservation(from slot: Int, now: NIODeadline) {
        let line = Int(pods.glance(slot).reservedLine)
        guard line >= 0 else { return }
        lines[line].reservedPod = -1
        pods.reserve(slot, for: -1)
        reserve(line, now: now)
        reserveForOldest(slot, now: now)
        markDirty(slot)
    }

    /// Reserves pods for those that have become due, in the order of their arrival.
    mutating func reserveDue(now: NIODeadline) {
        reserveWake = .distantFuture
        var due: [Int] = []
        for line in lines.active {
            let candidate = lines[Int(line)]
            guard candidate.reservedPod < 0, candidate.priority == .live else { continue }
            let dueAt = candidate.headArrivedAt + configuration.reserveAfter
            if dueAt <= now { due.append(Int(line)) } else { reserveWake = min(reserveWake, dueAt) }
        }
        due.sort { lines[$0].precedes(lines[$1]) }
        for line in due { reserve(line, now: now) }
    }

    private func mayReserve(_ glance: PodGlance, _ line: WaitingLine) -> Bool {
        glance.isRoutable && glance.softShut == 0 && line.needs.fits(in: glance.largest)
            && !line.kept.contains(glance.key)
    }

    /// How much a pod lacks for a request, as shares of what it has.
    private static func lacking(_ glance: PodGlance, _ needs: ResourceVector) -> Double {
        var sum = glance.idle > 0 ? 0.0 : 0.5
        for dimension in ResourceDimension.allCases where needs[dimension] > glance.free[dimension] {
            let missing = Double(needs[dimension] - glance.free[dimension])
            sum += missing / Double(max(glance.largest[dimension], 1))
        }
        return sum
    }
}
