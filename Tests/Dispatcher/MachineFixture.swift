import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

/// A machine with a clock of its own, and short words for what happens to it.
struct MachineFixture {
    var machine: DispatchMachine
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var pods: [Pod] = []

    init(
        routes: [Route] = [Self.route(0)],
        configure: (inout DispatchConfiguration) -> Void = { _ in }
    ) {
        var configuration = DispatchConfiguration()
        configure(&configuration)
        machine = DispatchMachine(configuration: configuration, routes: routes)
    }

    static func route(
        _ key: Int,
        hold: Duration = .seconds(30),
        atOnce: Int? = nil,
        waiting: Int? = nil
    ) -> Route {
        Route(
            key: key,
            id: key == 0 ? Route.defaultID : "POST /\(key)",
            method: nil,
            template: nil,
            needs: .needs(1),
            holdTimeout: Setting(hold, from: .default),
            requestTimeout: Setting(.seconds(300), from: .default),
            maxConcurrency: Setting(atOnce, from: atOnce == nil ? .default : .configuration),
            maxQueueDepth: Setting(waiting, from: waiting == nil ? .default : .configuration)
        )
    }

    /// Lets time pass, waking the machine whenever it asks for it.
    mutating func pass(_ time: TimeAmount) {
        let end = now + time
        while let wake = machine.nextWake, wake <= end {
            now = max(now, wake)
            machine.wake(now: now)
        }
        now = end
    }

    /// Adds a pod that has just said what is free.
    @discardableResult
    mutating func pod(
        _ available: ResourceVector,
        total: ResourceVector? = nil,
        idleWorkers: Int? = nil,
        workers: [ResourceVector]? = nil
    ) -> Pod {
        let pod = addPod()
        sample(pod, available, total: total ?? available, idleWorkers: idleWorkers, workers: workers)
        drainActions()
        return pod
    }

    /// Adds a pod that was never polled.
    mutating func addPod() -> Pod {
        let key = pods.count
        pods.append(Pod(key: key, description: PodDescription(host: "10.0.0.\(key)", port: 8000)))
        machine.podsChanged(pods, now: now)
        return pods[key]
    }

    mutating func remove(_ pod: Pod) {
        machine.podsChanged(pods.filter { $0 != pod && machine.pods.slot($0.key) != nil }, now: now)
    }

    /// A poll is sent now and is back a millisecond later.
    mutating func sample(
        _ pod: Pod,
        _ available: ResourceVector,
        total: ResourceVector? = nil,
        idleWorkers: Int? = nil,
        workers: [ResourceVector]? = nil
    ) {
        let sentAt = now
        pass(.milliseconds(1))
        let report = CapacityReport(
            available: available,
            total: total,
            idleWorkers: idleWorkers,
            totalWorkers: idleWorkers,
            workers: workers?.map { CapacityReport.Worker(available: $0, isIdle: true) }
        )
        machine.sampled(pod, report, sentAt: sentAt, receivedAt: now, now: now)
    }

    mutating func failPoll(_ pod: Pod) { machine.pollFailed(pod, "no connection", sentAt: now, now: now) }

    mutating func arrive(
        _ needs: ResourceVector = .needs(1),
        route: Int = 0,
        priority: RequestPriority = .live,
        holdLimit: TimeAmount? = nil,
        isPatient: Bool = false
    ) -> Arrival {
        machine.arrive(
            route: machine.routes.indices.contains(route) ? machine.routes[route].route : Self.route(route),
            needs: needs,
            priority: priority,
            holdLimit: holdLimit,
            isPatient: isPatient,
            now: now
        )
    }

    /// Sends a request that is written at once.
    mutating func place(_ needs: ResourceVector = .needs(1), route: Int = 0) throws -> (Ticket, Pod) {
        let arrival = arrive(needs, route: route)
        guard case .placed(let ticket, let pod) = arrival else { throw Unexpected("\(arrival)") }
        machine.written(ticket, at: now)
        return (ticket, pod)
    }

    mutating func wait(
        _ needs: ResourceVector = .needs(1),
        route: Int = 0,
        priority: RequestPriority = .live,
        holdLimit: TimeAmount? = nil
    ) throws -> Ticket {
        let arrival = arrive(needs, route: route, priority: priority, holdLimit: holdLimit)
        guard case .waiting(let ticket) = arrival else { throw Unexpected("\(arrival)") }
        return ticket
    }

    mutating func end(_ ticket: Ticket, _ end: AttemptEnd = .answered(status: 200), writtenAt: NIODeadline? = nil) {
        machine.attemptEnded(ticket, end, writtenAt: writtenAt, now: now)
    }

    mutating func cancel(_ ticket: Ticket) -> Bool { machine.cancel(ticket, now: now) }

    @discardableResult
    mutating func drainActions() -> [DispatchAction] {
        var actions: [DispatchAction] = []
        while let action = machine.nextAction() { actions.append(action) }
        return actions
    }

    /// What was dispatched, and where to, since the last look.
    mutating func dispatches() -> [Ticket: Int] {
        var dispatched: [Ticket: Int] = [:]
        for case .dispatch(let ticket, let pod) in drainActions() { dispatched[ticket] = pod.key }
        return dispatched
    }

    mutating func refusals() -> [(ticket: Ticket, refusal: Refusal, afterBusy: Bool)] {
        drainActions().compactMap { action in
            if case .refuse(let ticket, let refusal, let afterBusy) = action {
                (ticket, refusal, afterBusy)
            } else {
                nil
            }
        }
    }

    /// The keys of the pods that are to be polled at once.
    mutating func polls() -> [Int] {
        drainActions().compactMap { if case .poll(let pod) = $0 { pod.key } else { nil } }
    }
}

struct Unexpected: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

extension ResourceVector {
    /// Whole units.
    static func needs(_ cpus: Int64, gpus: Int64 = 0, memory: Int64 = 1) -> ResourceVector {
        ResourceVector(cpus: cpus * 1000, gpus: gpus * 1000, memory: memory * 1000)
    }
}
