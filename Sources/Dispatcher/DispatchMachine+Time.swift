import Core
package import NIOCore
import Queue

/// What happens because time passes.
extension DispatchMachine {
    /// When ``wake(now:)`` has something to do; nil for never. Look at it after every event.
    package var nextWake: NIODeadline? {
        var next = min(podsWake, reserveWake, paceWake)
        if let nearest = deadlines.nearest { next = min(next, nearest.deadline) }
        return next == .distantFuture ? nil : next
    }

    /// Does what is due. Call it at ``nextWake`` or soon after.
    package mutating func wake(now: NIODeadline) {
        if podsWake <= now { lookAtPods(now: now) }
        // Before anyone is refused: a pod that is let on again may have room.
        settle(now)
        if reserveWake <= now { reserveDue(now: now) }
        expire(now: now)
        if paceWake <= now { calmDown(now: now) }
        settle(now)
    }

    /// Samples get stale, breakers open again.
    private mutating func lookAtPods(now: NIODeadline) {
        podsWake = .distantFuture
        for slot in pods.indices {
            refresh(slot, now: now)
            if let change = pods[slot].nextChange(after: now, configuration) { podsWake = min(podsWake, change) }
        }
    }

    /// After how long at least it is looked again whether one that nobody waits for could be held by any pod.
    private static let patience = TimeAmount.seconds(1)

    /// Refuses those whose hold timeout has passed.
    private mutating func expire(now: NIODeadline) {
        // Many of one line are often due at once, and wait for the same reason.
        var known: (line: Int32, why: WaitReason, detail: String)?
        while let (slot, deadline) = deadlines.nearest, deadline <= now {
            if !dirty.isEmpty || hasLostPod {
                // The one before held a reservation: what that kept back may fit others that are due.
                settle(now)
                continue
            }
            let entry = requests[slot]
            if known == nil || known!.line != entry.line {
                let survey = survey(entry.needs)
                let why = whyWaiting(Int(entry.line), survey)
                known = (entry.line, why, explain(why, Int(entry.line), survey))
            }
            if entry.isPatient, known!.why.endReason != .exceedsEveryPod {
                let hold = max(routes[Int(entry.routeKey)].hold, Self.patience)
                deadlines.set(slot, to: now + hold)
                continue
            }
            // Where those that could hold it rest because this very request did not reach one, that is the reason to tell.
            let isUnreached = entry.wasUnreached && known!.why == .podsResting
            let refusal = refusal(
                isUnreached ? .connectFailed : known!.why.endReason,
                isUnreached ? "the pod that had room for it could not be reached" : known!.detail,
                routeKey: Int(entry.routeKey),
                since: entry.arrivedAt,
                now: now
            )
            let isLast = lines[Int(entry.line)].count == 1
            takeFromLine(slot, now: now)
            if isLast { known = nil }
            act(.refuse(requests.ticket(slot), refusal, afterBusy: entry.wasBusy))
            forget(slot)
        }
    }

    /// Computes the deadlines of those waiting anew: of one route, or of all.
    mutating func renewDeadlines(routeKey: Int?) {
        for slot in requests.slots(.waiting) where routeKey == nil || requests[slot].routeKey == Int32(routeKey!) {
            deadlines.set(slot, to: deadline(of: requests[slot]))
        }
    }
}
