import Core
import NIOCore
import Queue

@testable import Dispatcher

/// A world of pods, clients and a network around a ``DispatchMachine``, all from one seed, that checks at every step what the design
/// promises. Time is in microseconds.
struct ModelWorld {
    enum Event {
        case arrival
        case commit(attempt: Int)
        case write(attempt: Int)
        case reach(attempt: Int)
        case finish(attempt: Int, life: Int)
        case end(attempt: Int, AttemptEnd)
        case clientLeaves(Ticket)
        case poll(pod: Int, number: Int)
        case evaluatePoll(pod: Int, sentAt: NIODeadline)
        case pollBack(pod: Int, CapacityReport, ResourceVector, sentAt: NIODeadline, receivedAt: NIODeadline)
        case pollFailed(pod: Int, sentAt: NIODeadline)
        case tenants(pod: Int)
        case die(pod: Int)
        case revive(pod: Int)
        case discovery
        case operate
    }

    struct LiveRequest {
        var route: Int
        var needs: ResourceVector
        var arrivedAt: Int64
        var holdLimit: Int64
        var awayFor: Int64 = 0
        var attempt: Int?
    }

    struct Attempt {
        enum Phase {
            case committing
            case sending
            case written
            case ended
        }

        var ticket: Ticket
        var pod: Int
        var needs: ResourceVector
        var startedAt: Int64
        var phase = Phase.committing
        var writtenAt: NIODeadline?
    }

    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    static let start: Int64 = 1_000_000_000
    static let longestTask: Int64 = 1_500_000

    let seed: UInt64
    let configuration: DispatchConfiguration
    var random: SeededGenerator
    var machine: DispatchMachine
    var agenda = Agenda<Event>()
    var time = Self.start
    var pods: [ModelPod] = []
    var holds: [Int64]
    var requests: [Ticket: LiveRequest] = [:]
    var attempts: [Int: Attempt] = [:]
    var attemptCount = 0
    var stepCount = 0
    var isEnding = false
    /// For how long a request could have gone to a pod and did not: by ticket and pod.
    var idleSince: [Ticket: [Int: Int64]] = [:]
    var endings: [String: Int] = [:]
    let load: Int64

    var now: NIODeadline { .uptimeNanoseconds(UInt64(time) * 1000) }

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        var configuration = DispatchConfiguration()
        configuration.reserveAfter = .seconds(1)
        configuration.placement = Placement.allCases.randomElement(using: &random)!
        configuration.maxQueueDepth = 200
        configuration.breaker.openFor = .seconds(2)
        configuration.breaker.longestOpenFor = .seconds(8)
        self.configuration = configuration
        let routeCount = Int(random.pick(1...6))
        holds = (0..<routeCount).map { 1_000_000 + Int64($0) * 7_000_000 }
        load = random.pick(3_000...60_000)
        let routes = holds.enumerated().map { MachineFixture.route($0.offset, hold: .microseconds($0.element)) }
        machine = DispatchMachine(configuration: configuration, routes: routes)
        for _ in 0..<random.pick(1...6) { addPod() }
        machine.podsChanged(pods.map(\.pod), now: now)
        agenda.plan(.arrival, at: time)
        agenda.plan(.operate, at: time + 1_000_000)
        agenda.plan(.discovery, at: time + 5_000_000)
    }

    /// Runs that many events, then lets everything come to rest.
    mutating func run(events: Int) throws {
        for _ in 0..<events { try step() }
        try comeToRest()
    }

    mutating func step() throws {
        guard let next = agenda.nextTime else { return }
        if let wake = machine.nextWake, Self.microseconds(wake) <= next {
            time = max(time, Self.microseconds(wake))
            machine.wake(now: now)
        } else if let (time, event) = agenda.popNext() {
            self.time = max(self.time, time)
            try happen(event)
        }
        try carryOut()
        try check()
        stepCount += 1
        if stepCount % 20 == 0 { try checkProgress() }
    }

    private static func microseconds(_ deadline: NIODeadline) -> Int64 {
        Int64((deadline.uptimeNanoseconds + 999) / 1000)
    }

    // MARK: What happens

    private mutating func happen(_ event: Event) throws {
        switch event {
        case .arrival: try arrive()
        case .commit(let attempt): commit(attempt)
        case .write(let id):
            guard attempts[id]?.phase == .sending else { break }
            attempts[id]!.phase = .written
            attempts[id]!.writtenAt = now
            agenda.plan(.reach(attempt: id), at: time + random.pick(100...15_000))
        case .reach(let attempt): try reach(attempt)
        case .finish(let id, let life):
            guard let pod = attempts[id]?.pod, pods[pod].life == life else { break }
            pods[pod].running[id] = nil
            agenda.plan(
                .end(attempt: id, .answered(status: random.chance(0.02) ? 500 : 200)),
                at: time + random.pick(100...4_900)
            )
        case .end(let attempt, let how): end(attempt, how)
        case .clientLeaves(let ticket): clientLeaves(ticket)
        case .poll(let pod, let number): poll(pod, number)
        case .evaluatePoll(let pod, let sentAt): evaluatePoll(pod, sentAt)
        case .pollBack(let pod, let report, let tenants, let sentAt, let receivedAt):
            for ticket in machine.openLeases(of: pods[pod].pod) { tellWritten(ticket) }
            machine.sampled(pods[pod].pod, report, sentAt: sentAt, receivedAt: receivedAt, now: now)
            if pods[pod].sample.map({ $0.sentAt < sentAt }) ?? true, machine.pods.slot(pods[pod].pod.key) != nil {
                pods[pod].sample = (sentAt, receivedAt, report.available, tenants)
                pods[pod].prune()
            }
        case .pollFailed(let pod, let sentAt):
            machine.pollFailed(pods[pod].pod, "no answer", sentAt: sentAt, now: now)
        case .tenants(let pod): changeTenants(pod)
        case .die(let pod): die(pod)
        case .revive(let pod):
            pods[pod].isAlive = true
            pods[pod].troubledAt = time
        case .discovery: discover()
        case .operate: operate()
        }
    }

    private mutating func arrive() throws {
        guard !isEnding else { return }
        agenda.plan(.arrival, at: time + random.pick(0...load * 2))
        let route = Int.random(in: holds.indices, using: &random)
        let gpus = random.chance(0.3) ? random.pick(1...3) : 0
        let needs: ResourceVector =
            random.chance(0.05) ? .zero : .needs(random.pick(1...4), gpus: gpus, memory: random.pick(0...8))
        let limit = random.chance(0.1) ? random.pick(0...5_000_000) : 1_000_000_000
        let arrival = machine.arrive(
            route: machine.routes[route].route,
            needs: needs,
            priority: random.chance(0.1) ? .replay : .live,
            holdLimit: .microseconds(limit),
            now: now
        )
        let request = LiveRequest(route: route, needs: needs, arrivedAt: time, holdLimit: limit)
        switch arrival {
        case .placed(let ticket, let pod):
            try enter(ticket, request)
            try dispatch(ticket, pod)
        case .waiting(let ticket):
            try enter(ticket, request)
            if random.chance(0.1) { agenda.plan(.clientLeaves(ticket), at: time + random.pick(0...5_000_000)) }
        case .refused(let refusal):
            guard refusal.reason == .queueFull else { throw Violation(description: "refused at the door: \(refusal)") }
            try checkRetryAfter(refusal)
        }
    }

    private mutating func enter(_ ticket: Ticket, _ request: LiveRequest) throws {
        guard requests[ticket] == nil else { throw Violation(description: "\(ticket) was given twice") }
        requests[ticket] = request
    }

    private mutating func commit(_ id: Int) {
        guard let attempt = attempts[id], attempt.phase == .committing else { return }
        if random.chance(0.01) {
            machine.cancel(attempt.ticket, now: now)
            closeLease(id, .unsent)
            finish(attempt.ticket, "storage")
        } else if !pods[attempt.pod].isAlive || random.chance(0.005) {
            attempts[id]!.phase = .sending
            pods[attempt.pod].coming[id] = nil
            let isOurs = pods[attempt.pod].isAlive && random.chance(0.5)
            let end: AttemptEnd = isOurs ? .outOfResources : .connectFailed
            agenda.plan(.end(attempt: id, end), at: time + random.pick(100...50_000))
        } else {
            attempts[id]!.phase = .sending
            agenda.plan(.write(attempt: id), at: time + random.pick(50...3_000))
            if random.chance(0.03) {
                agenda.plan(.clientLeaves(attempt.ticket), at: time + random.pick(0...1_000_000))
            }
        }
    }

    private mutating func reach(_ id: Int) throws {
        guard let attempt = attempts[id], pods[attempt.pod].coming.removeValue(forKey: id) != nil else { return }
        guard pods[attempt.pod].isAlive else {
            agenda.plan(.end(attempt: id, .died(.reset, mayRepeat: random.chance(0.7))), at: time + 1_000)
            return
        }
        guard pods[attempt.pod].admit(id, attempt.needs) else {
            guard pods[attempt.pod].hasTenants else {
                throw Violation(
                    description:
                        "pod \(attempt.pod) was given more than it has: \(attempt.needs); \(describe(attempt.pod))"
                )
            }
            agenda.plan(.end(attempt: id, .busy), at: time + random.pick(100...5_000))
            return
        }
        let life = pods[attempt.pod].life
        if random.chance(0.01) {
            // It hangs: the gateway gives up, and it computes on.
            let patience = random.pick(50_000...1_000_000)
            let isBegun = random.chance(0.3)
            let end: AttemptEnd = isBegun ? .broken(.timeout) : .died(.timeout, mayRepeat: random.chance(0.7))
            agenda.plan(.end(attempt: id, end), at: time + patience)
            agenda.plan(.finish(attempt: id, life: life), at: time + patience + random.pick(0...3_000_000))
        } else {
            agenda.plan(.finish(attempt: id, life: life), at: time + random.pick(2_000...Self.longestTask))
        }
    }

    private mutating func end(_ id: Int, _ how: AttemptEnd) {
        guard let attempt = attempts[id], attempt.phase != .ended else { return }
        if [.connectFailed, .outOfResources, .busy].contains(how) { pods[attempt.pod].troubledAt = time }
        machine.attemptEnded(attempt.ticket, how, writtenAt: attempt.writtenAt, now: now)
        switch how {
        case .answered:
            closeLease(id, .whole)
            finish(attempt.ticket, "answered")
        case .busy:
            closeLease(id, .whole)
            requests[attempt.ticket]!.attempt = nil
        case .connectFailed, .outOfResources:
            closeLease(id, .unsent)
            requests[attempt.ticket]!.attempt = nil
        case .died:
            closeLease(id, .lost)
            requests[attempt.ticket]!.attempt = nil
            requests[attempt.ticket]!.awayFor += time - attempt.startedAt
        case .aborted, .broken:
            closeLease(id, .lost)
            finish(attempt.ticket, "\(how)")
        }
    }

    private mutating func clientLeaves(_ ticket: Ticket) {
        guard let request = requests[ticket] else { return }
        guard let id = request.attempt, let attempt = attempts[id] else {
            machine.cancel(ticket, now: now)
            return finish(ticket, "left")
        }
        if attempt.phase == .committing {
            machine.cancel(ticket, now: now)
            closeLease(id, .unsent)
            return finish(ticket, "left")
        }
        // What was not written never arrives; what was goes on to the pod, which may or may not notice.
        if attempt.phase == .sending { pods[attempt.pod].coming[id] = nil }
        machine.attemptEnded(ticket, .aborted, writtenAt: attempt.writtenAt, now: now)
        closeLease(id, .lost)
        finish(ticket, "aborted")
        if random.chance(0.5), pods[attempt.pod].running[id] != nil { pods[attempt.pod].running[id] = nil }
    }

    private mutating func closeLease(_ id: Int, _ how: ModelPod.Lease.End) {
        guard let attempt = attempts[id] else { return }
        let endedAt = now
        attempts[id]!.phase = .ended
        if how == .unsent { pods[attempt.pod].coming[id] = nil }
        pods[attempt.pod].leases[id]?.writtenAt = attempt.writtenAt
        pods[attempt.pod].leases[id]?.end = (how, endedAt)
    }

    mutating func finish(_ ticket: Ticket, _ how: String) {
        requests[ticket] = nil
        idleSince[ticket] = nil
        endings[how, default: 0] += 1
    }

    private mutating func tellWritten(_ ticket: Ticket) {
        guard let id = requests[ticket]?.attempt, let attempt = attempts[id], let writtenAt = attempt.writtenAt
        else { return }
        machine.written(ticket, at: writtenAt)
        pods[attempt.pod].leases[id]?.writtenAt = writtenAt
    }

    // MARK: What the machine wants

    mutating func carryOut() throws {
        while let action = machine.nextAction() {
            switch action {
            case .dispatch(let ticket, let pod): try dispatch(ticket, pod)
            case .refuse(let ticket, let refusal, _): try refuse(ticket, refusal)
            case .poll(let pod): begin(pod.key)
            case .breakerOpened, .breakerClosed: break
            case .setInterval(let pod, let interval):
                pods[pod.key].interval = (interval ?? configuration.capacityInterval).nanoseconds / 1000
                let due = pods[pod.key].lastPollAt + pods[pod.key].interval
                plan(poll: pod.key, at: max(time, due))
            }
        }
    }

    private mutating func dispatch(_ ticket: Ticket, _ pod: Pod) throws {
        guard let request = requests[ticket], request.attempt == nil else {
            throw Violation(description: "\(ticket) was dispatched while it did not wait")
        }
        let model = pods[pod.key]
        guard request.needs.gpus <= model.total.gpus else {
            throw Violation(
                description:
                    "GPU request at pod \(pod.key), which has no such GPUs: \(request.needs); \(describe(pod.key))"
            )
        }
        // A pod that was seen to be ours alone is taken to be so until a sample shows that it is not.
        let isAlone = machine.pods.slot(pod.key).map { machine.pods[$0].ledger.isAlone } ?? false
        let shown = isAlone ? model.tenantsShown() : model.sample?.tenants
        guard let shown, model.couldTake(request.needs, tenants: shown) else {
            throw Violation(
                description:
                    "pod \(pod.key) has no room for \(request.needs), as its sample shows: \(describe(pod.key))"
            )
        }
        attemptCount += 1
        attempts[attemptCount] = Attempt(ticket: ticket, pod: pod.key, needs: request.needs, startedAt: time)
        requests[ticket]!.attempt = attemptCount
        idleSince[ticket] = nil
        pods[pod.key].coming[attemptCount] = request.needs
        pods[pod.key].leases[attemptCount] = ModelPod.Lease(needs: request.needs)
        agenda.plan(.commit(attempt: attemptCount), at: time + random.pick(100...3_000))
    }

    private mutating func refuse(_ ticket: Ticket, _ refusal: Refusal) throws {
        guard let request = requests[ticket], request.attempt == nil else {
            throw Violation(description: "\(ticket) was refused while it did not wait: \(refusal.reason)")
        }
        switch refusal.reason {
        case .noCapacity, .noPods, .exceedsEveryPod, .connectFailed:
            try checkRetryAfter(refusal)
            guard time >= deadline(request) else {
                throw Violation(description: "\(ticket) was refused \(deadline(request) - time) µs early")
            }
        case .upstreamReset, .upstreamTimeout: break
        default: throw Violation(description: "\(ticket) was refused for \(refusal.reason)")
        }
        finish(ticket, refusal.reason.rawValue)
    }

    func deadline(_ request: LiveRequest) -> Int64 {
        request.arrivedAt + request.awayFor + min(holds[request.route], request.holdLimit)
    }

    private func checkRetryAfter(_ refusal: Refusal) throws {
        guard let seconds = refusal.retryAfter, (1...60).contains(seconds) else {
            throw Violation(description: "Retry-After \(String(describing: refusal.retryAfter))")
        }
    }
}
