import ArgumentParser
import Core
import Dispatcher
import NIOCore
import Queue

/// What a decision of the dispatcher costs while many wait.
struct DecisionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decision",
        abstract: "A freed pod looks at the lines and gets the next request; one that comes takes its place."
    )

    @Option(help: "Requests that wait.")
    var waiting = 100_000
    @Option(help: "Routes, and so lines, that they wait in.")
    var lines = 50
    @Option(help: "Pods, all of them full.")
    var pods = 2_000
    @Option(help: "Decisions that are measured.")
    var decisions = 20_000

    func run() throws {
        var bench = DecisionBench(waiting: waiting, lines: lines, pods: pods)
        // The first ones fault memory in.
        for _ in 0..<1_000 { _ = bench.decide() }
        var dispatched: [Double] = []
        var arrived: [Double] = []
        for _ in 0..<decisions {
            let times = bench.decide()
            dispatched.append(times.dispatch)
            arrived.append(times.arrival)
        }
        Report([
            "waiting": Double(bench.waiting),
            "dispatchMedianMicroseconds": dispatched.quantile(0.5),
            "dispatchP99Microseconds": dispatched.quantile(0.99),
            "arrivalMedianMicroseconds": arrived.quantile(0.5),
            "arrivalP99Microseconds": arrived.quantile(0.99),
        ]).print()
    }
}

/// A machine with every pod full and requests of many routes behind it.
struct DecisionBench {
    private var machine: DispatchMachine
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var random = Xorshift(seed: 42)
    private let routes: [Route]
    private var leased: [(ticket: Ticket, pod: Pod)] = []

    var waiting: Int { machine.waitingCount }

    /// Odd routes need a GPU; every second pod has two.
    init(waiting: Int, lines: Int, pods count: Int) {
        var configuration = DispatchConfiguration()
        configuration.maxQueueDepth = waiting + lines
        routes = (0..<lines).map { key in
            .measured(
                key,
                needs: ResourceVector(cpus: 1000 + Int64(key) * 20, gpus: key % 2 == 1 ? 1000 : 0, memory: 1000)
            )
        }
        machine = DispatchMachine(configuration: configuration, routes: routes)
        let pods = (0..<count).map {
            Pod(key: $0, description: PodDescription(host: "10.0.\($0 / 250).\($0 % 250)", port: 8000))
        }
        machine.podsChanged(pods, now: now)
        for pod in pods {
            let all = ResourceVector(cpus: 4000, gpus: pod.key % 2 == 1 ? 2000 : 0, memory: 16_000)
            let report = CapacityReport(available: all, total: all)
            machine.sampled(pod, report, sentAt: now - .milliseconds(1), receivedAt: now, now: now)
        }
        var sinceFull = 0
        while sinceFull < lines * 4 || machine.waitingCount < waiting {
            let before = machine.waitingCount
            arrive()
            sinceFull = machine.waitingCount > before ? sinceFull + 1 : 0
        }
        takeActions()
    }

    private mutating func arrive() {
        let route = routes[Int(random.next() % UInt64(routes.count))]
        let arrival = machine.arrive(route: route, needs: route.needs, priority: .live, holdLimit: nil, now: now)
        if case .placed(let ticket, let pod) = arrival {
            machine.written(ticket, at: now)
            leased.append((ticket, pod))
        }
    }

    private mutating func takeActions() {
        while let action = machine.nextAction() {
            guard case .dispatch(let ticket, let pod) = action else { continue }
            machine.written(ticket, at: now)
            leased.append((ticket, pod))
        }
    }

    /// One request ends somewhere, whoever fits is sent there, and another comes.
    /// - Returns: Microseconds of both.
    mutating func decide() -> (dispatch: Double, arrival: Double) {
        now = now + .microseconds(50)
        let ended = Int(random.next() % UInt64(leased.count))
        let ticket = leased[ended].ticket
        leased.swapAt(ended, leased.count - 1)
        leased.removeLast()
        let start = NIODeadline.now()
        machine.attemptEnded(ticket, .answered(status: 200), writtenAt: now, now: now)
        let middle = NIODeadline.now()
        takeActions()
        let arrival = NIODeadline.now()
        arrive()
        let end = NIODeadline.now()
        takeActions()
        return (Double((middle - start).nanoseconds) / 1000, Double((end - arrival).nanoseconds) / 1000)
    }
}
