import Core
import NIOCore

@testable import Dispatcher

/// Pods that come, go, die and are shared with others, polls that lag, cross and get lost, and operators who meddle.
extension ModelWorld {
    mutating func addPod() {
        let key = pods.count
        let description = PodDescription(host: "10.0.0.\(key)", port: 80)
        pods.append(ModelPod(pod: Pod(key: key, description: description), random: &random))
        plan(poll: key, at: time + random.pick(0...100_000))
        agenda.plan(.die(pod: key), at: time + random.pick(2_000_000...60_000_000))
        if pods[key].hasTenants { agenda.plan(.tenants(pod: key), at: time + random.pick(0...1_000_000)) }
    }

    mutating func changeTenants(_ pod: Int) {
        let room = pods[pod].total - pods[pod].isBusyWith
        let share = isEnding ? 0 : random.pick(0...10)
        pods[pod].tenants = ResourceVector(
            cpus: room.cpus * share / 10,
            gpus: room.gpus * share / 10,
            memory: room.memory * share / 10
        )
        pods[pod].troubledAt = time
        if !isEnding { agenda.plan(.tenants(pod: pod), at: time + random.pick(50_000...3_000_000)) }
    }

    mutating func die(_ pod: Int) {
        guard !isEnding, pods[pod].isListed else { return }
        agenda.plan(.die(pod: pod), at: time + random.pick(5_000_000...60_000_000))
        guard pods[pod].isAlive else { return }
        pods[pod].isAlive = false
        pods[pod].troubledAt = time
        pods[pod].life += 1
        for id in pods[pod].running.keys.sorted() {
            agenda.plan(
                .end(attempt: id, .died(.reset, mayRepeat: random.chance(0.7))),
                at: time + random.pick(100...20_000)
            )
        }
        pods[pod].running = [:]
        agenda.plan(.revive(pod: pod), at: time + random.pick(10_000...15_000_000))
    }

    mutating func discover() {
        guard !isEnding else { return }
        agenda.plan(.discovery, at: time + random.pick(2_000_000...20_000_000))
        let listed = pods.indices.filter { pods[$0].isListed }
        if random.chance(0.5), pods.count < 12 {
            addPod()
        } else if let gone = listed.randomElement(using: &random), listed.count > 1 {
            pods[gone].isListed = false
            pods[gone].troubledAt = time
        }
        machine.podsChanged(pods.filter(\.isListed).map(\.pod), now: now)
    }

    mutating func operate() {
        guard !isEnding else { return }
        agenda.plan(.operate, at: time + random.pick(500_000...4_000_000))
        let route = Int.random(in: holds.indices, using: &random)
        let pod = Int.random(in: pods.indices, using: &random)
        switch random.pick(0...7) {
        case 0, 1:
            holds[route] = random.pick(0...30_000_000)
            machine.setHoldTimeout(routeKey: route, .microseconds(holds[route]), now: now)
        case 2: machine.setMaxConcurrency(routeKey: route, random.chance(0.5) ? nil : Int(random.pick(1...5)), now: now)
        case 3: machine.drainPod(key: pod, now: now)
        case 4:
            machine.undrainPod(key: pod, now: now)
            pods[pod].troubledAt = time
        case 5: machine.setPaused(routeKey: route, random.chance(0.3), now: now)
        case 6: if random.chance(0.3) { machine.pause(now: now) }
        default: machine.resume(now: now)
        }
    }

    // MARK: Polls

    /// The next poll by the timer; those planned before are void.
    mutating func plan(poll pod: Int, at time: Int64) {
        pods[pod].pollNumber += 1
        agenda.plan(.poll(pod: pod, number: pods[pod].pollNumber), at: time)
    }

    mutating func poll(_ pod: Int, _ number: Int) {
        guard number == pods[pod].pollNumber, pods[pod].isListed else { return }
        begin(pod)
    }

    /// Sends a poll now, or 50 ms after the last.
    mutating func begin(_ pod: Int) {
        let earliest = pods[pod].lastPollAt + 50_000
        guard time >= earliest else { return plan(poll: pod, at: earliest) }
        pods[pod].lastPollAt = time
        plan(poll: pod, at: time + pods[pod].interval)
        guard pods[pod].isAlive else {
            agenda.plan(.pollFailed(pod: pod, sentAt: now), at: time + random.pick(100...5_000))
            return
        }
        guard isEnding || !random.chance(0.03) else {
            if random.chance(0.8) {
                agenda.plan(.pollFailed(pod: pod, sentAt: now), at: time + random.pick(1_000...5_000_000))
            }
            return
        }
        // Mostly quick, sometimes so slow that the next one overtakes it.
        let delay = random.chance(0.9) ? random.pick(100...5_000) : random.pick(5_000...400_000)
        agenda.plan(.evaluatePoll(pod: pod, sentAt: now), at: time + delay)
    }

    mutating func evaluatePoll(_ pod: Int, _ sentAt: NIODeadline) {
        guard pods[pod].isAlive else {
            agenda.plan(.pollFailed(pod: pod, sentAt: sentAt), at: time + 1_000)
            return
        }
        let delay = random.chance(0.9) ? random.pick(100...5_000) : random.pick(5_000...400_000)
        let receivedAt = NIODeadline.uptimeNanoseconds(UInt64(time + delay) * 1000)
        let lag = random.chance(0.9) ? random.pick(0...500) : random.pick(500...50_000)
        agenda.plan(
            .pollBack(
                pod: pod,
                pods[pod].report(),
                pods[pod].tenants,
                sentAt: sentAt,
                receivedAt: receivedAt
            ),
            at: time + delay + lag
        )
    }
}
