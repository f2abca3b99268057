import Core
import NIOCore

@testable import Dispatcher

/// What must hold after every event.
extension ModelWorld {
    func check() throws {
        try checkLedgers()
        try checkNobodyWaitsInVain()
        try checkTickets()
    }

    /// The ledger, which adds up as it goes, says what the design's formula says of the whole history.
    private func checkLedgers() throws {
        for model in pods {
            guard let slot = machine.pods.slot(model.pod.key) else { continue }
            let free = machine.pods[slot].ledger.free
            if let most = model.knownFree(transit: .zero), let least = model.knownFree(transit: .milliseconds(5)),
                !free.fits(in: most) || !least.fits(in: free)
            {
                throw Violation(description: "formula \(least) … \(most), \(describe(model.pod.key))")
            }
            guard free == machine.pods.glance(slot).free else {
                throw Violation(description: "pod \(model.pod.key): its glance is not up to date")
            }
        }
    }

    /// No first of a line fits what is known to be free of a pod that it may use.
    private func checkNobodyWaitsInVain() throws {
        guard !machine.isPaused else { return }
        for line in machine.lines.active.map({ Int($0) }) where !machine.routes[machine.lines[line].routeKey].isFull {
            for slot in machine.pods.indices where mayUse(slot, line) {
                let needs = machine.lines[line].needs
                let reservedLine = machine.pods.glance(slot).reservedLine
                let reserved =
                    reservedLine < 0 || reservedLine == Int32(line) ? nil : machine.lines[Int(reservedLine)].needs
                if machine.pods[slot].ledger.fits(needs, besides: reserved) {
                    throw Violation(description: "\(needs) waits while slot \(slot) is free for it")
                }
            }
        }
    }

    /// Whether a pod is open to a line, whatever it has free.
    private func mayUse(_ slot: Int, _ line: Int) -> Bool {
        let glance = machine.pods.glance(slot)
        return glance.isRoutable && glance.softShut == 0 && !machine.lines[line].kept.contains(glance.key)
            && glance.blockedRoute != -2 && Int(glance.blockedRoute) != machine.lines[line].routeKey
    }

    /// The machine and the world know the same requests, in the same place.
    private func checkTickets() throws {
        let leased = requests.values.count { $0.attempt != nil }
        guard machine.leasedCount == leased, machine.waitingCount == requests.count - leased else {
            throw Violation(
                description:
                    "\(machine.leasedCount) leased and \(machine.waitingCount) waiting, but there are \(leased) and "
                    + "\(requests.count - leased)"
            )
        }
        guard stepCount % 10 == 0, machine.nextWake ?? .distantFuture > now else { return }
        for (ticket, request) in requests {
            guard machine.isWaiting(ticket) == (request.attempt == nil) else {
                throw Violation(description: "\(ticket) is not where it should be")
            }
            if request.attempt == nil, deadline(request) < time {
                throw Violation(description: "\(ticket) is \(time - deadline(request)) µs over its hold timeout")
            }
        }
    }

    /// Looked at now and then: what is free in truth must be known to be so before long, and a reservation must be used.
    mutating func checkProgress() throws {
        for (ticket, request) in requests where request.attempt == nil {
            guard !machine.isPaused, let slot = machine.requests.slot(ticket) else { continue }
            let line = Int(machine.requests[slot].line)
            for key in pods.indices {
                guard let podSlot = machine.pods.slot(key), pods[key].isAlive, mayUse(podSlot, line),
                    machine.pods.glance(podSlot).reservedLine < 0, !machine.routes[request.route].isFull,
                    pods[key].couldTake(request.needs, tenants: pods[key].tenants),
                    machine.lines[line].head == Int32(slot),
                    request.needs.fits(in: machine.pods.glance(podSlot).largest)
                else {
                    idleSince[ticket]?[key] = nil
                    continue
                }
                let since = idleSince[ticket, default: [:]][key] ?? time
                idleSince[ticket, default: [:]][key] = since
                if time - since > 8_000_000 {
                    throw Violation(
                        description:
                            "pod \(key) has had room for \(request.needs) for \(time - since) µs: \(describe(key))"
                    )
                }
            }
        }
        for key in pods.indices {
            guard let slot = machine.pods.slot(key), machine.pods.glance(slot).reservedLine >= 0, !pods[key].hasTenants
            else {
                pods[key].reserved = nil
                continue
            }
            let head = machine.lines[Int(machine.pods.glance(slot).reservedLine)].headSequence
            if pods[key].reserved?.head != head || machine.isPaused || pods[key].troubledAt > pods[key].reserved!.since
            {
                pods[key].reserved = (head, time)
            }
            if let since = pods[key].reserved?.since, time - since > 20_000_000 {
                throw Violation(description: "pod \(key) has been reserved for \(time - since) µs and not used")
            }
        }
    }

    /// Nothing more comes, all pods are well, nobody else uses them: everything that fits one leaves, and every pod is known to be idle.
    mutating func comeToRest() throws {
        isEnding = true
        machine.resume(now: now)
        for route in holds.indices {
            holds[route] = 1_000_000_000
            machine.setHoldTimeout(routeKey: route, .seconds(1_000), now: now)
            machine.setMaxConcurrency(routeKey: route, nil, now: now)
            machine.setPaused(routeKey: route, false, now: now)
        }
        for pod in pods.indices {
            pods[pod].isAlive = true
            pods[pod].tenants = .zero
            machine.undrainPod(key: pod, now: now)
            machine.resetBreaker(podKey: pod, now: now)
        }
        try carryOut()
        // As long as the smallest pod needs for all of them one by one, and then some polls more.
        var end = time + 100_000_000 + Int64(requests.count) * 2 * Self.longestTask
        let largest = pods.filter(\.isListed).map(\.largest)
        while let next = agenda.nextTime, next < end {
            try step()
            guard stepCount % 50 == 0, time + 15_000_000 < end, machine.leasedCount == 0 else { continue }
            let isDone = !requests.values.contains { request in largest.contains { request.needs.fits(in: $0) } }
            if isDone { end = time + 15_000_000 }
        }
        for (ticket, request) in requests where request.attempt != nil || largest.contains(where: request.needs.fits) {
            let lines = machine.queueSnapshot(now: now).lines.prefix(5).map { "\($0.needs): \($0.explanation)" }
            let listed = pods.indices.filter { pods[$0].isListed }.map { describe($0) }
            throw Violation(description: "\(ticket) \(request) never left; \(lines); \(listed)")
        }
        for model in pods {
            guard let slot = machine.pods.slot(model.pod.key) else { continue }
            let ledger = machine.pods[slot].ledger
            guard ledger.held == .zero, ledger.openCount == 0,
                model.form == .listedWorkers || ledger.free == model.total
            else {
                throw Violation(
                    description: "pod \(model.pod.key) is idle, but \(ledger.free) free, \(ledger.held) held"
                )
            }
        }
        guard machine.retrying == machine.requests.slots(.waiting).count(where: { machine.requests[$0].deaths > 0 })
        else { throw Violation(description: "\(machine.retrying) are counted as repeated") }
    }

    /// A pod as it is and as the machine sees it, for messages.
    func describe(_ key: Int) -> String {
        let model = pods[key]
        var text =
            "\(model.form) of \(model.total), others use \(model.tenants), runs \(model.running.values.map(\.needs)), "
        text += "coming \(model.coming.values.map(\.self)), workers \(model.workers.count)"
        if let sample = model.sample {
            let (sent, back) = (sample.sentAt - now, sample.receivedAt - now)
            text += "; sample of \(sent.nanoseconds / 1000) µs, back \(back.nanoseconds / 1000) µs: \(sample.available)"
            text += ", others then \(sample.tenants)"
        }
        for (id, lease) in model.leases.sorted(by: { $0.key < $1.key }) {
            let written = lease.writtenAt.map { ($0 - now).nanoseconds / 1000 }
            text += "; lease \(id) \(lease.needs) written \(String(describing: written)), ended "
            text += lease.end.map { "\($0.how) \(($0.at - now).nanoseconds / 1000)" } ?? "-"
        }
        if let slot = machine.pods.slot(key) {
            let ledger = machine.pods[slot].ledger
            text += "; ledger: free \(ledger.free), held \(ledger.held), idle \(String(describing: ledger.idle)), "
            text += "total \(ledger.total), largest \(ledger.largestRequest)"
        }
        return text
    }
}
