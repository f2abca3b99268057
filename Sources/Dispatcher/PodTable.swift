import Core
import NIOCore

/// What a decision looks at in every pod. Trivial and small, so that looking at thousands is one walk over memory; derived from the
/// ``PodRecord`` by ``PodTable/refresh(_:now:configuration:)`` after each change.
struct PodGlance {
    var key = -1
    var free = ResourceVector.zero
    /// The most that one request could ever get.
    var largest = ResourceVector.zero
    var utilization: Int64 = 0
    /// Idle workers; a large number where they are not counted.
    var idle: Int32 = 0
    /// The line whose head it is reserved for; -1 for none.
    var reservedLine: Int32 = -1
    /// The route that its busy answers keep from it until its next sample; -1 for none, -2 for all.
    var blockedRoute: Int32 = -1
    /// When its soft breaker opened, in the order of opening; 0 while it admits.
    var softShut: UInt32 = 0
    /// Present, well, sampled lately, not draining, and its breaker not shut for transport failures.
    var isRoutable = false
    var listsWorkers = false
    var hasGPUs = false
}

/// One pod with everything that is kept about it.
struct PodRecord {
    var pod: Pod
    var ledger: PodLedger
    var breaker: Breaker
    var counts = PodCounts()
    var isGone = false
    var isDrained = false
    var failedPolls = 0
    var pollProblem: String?
    var reservedLine: Int32 = -1
    /// When its breaker first opened without closing since, in the order of opening.
    var shutOrder: UInt32 = 0
    var resting = BusyRest()
    /// When a poll was asked for that has not come back.
    var pollAskedAt: NIODeadline?
    /// Whether it is polled faster than configured.
    var isUrgent = false
    /// It waits in the machine's list of pods to look at.
    var isDirty = false
    /// Whether requests are held for it, as it was counted last.
    var isServing = false

    var isDraining: Bool { isDrained || pod.description.isDraining }
}

/// What a busy answer does: the pod gets nothing before its next sample, since the ledger was wrong about it. Where its samples
/// show room again and again and it refuses one route all the same (an application that answers 503 for reasons of its own), only
/// that route is kept away, for longer each time.
struct BusyRest {
    /// A poll sent after this lifts it, unless it is to last longer.
    private(set) var since: NIODeadline?
    private var until = NIODeadline.uptimeNanoseconds(0)
    private var routeKey: Int32 = -1
    private var needs = ResourceVector.zero
    private(set) var contradictions = 0
    private var coversAll = false

    /// As in ``PodGlance/blockedRoute``.
    var blockedRoute: Int32 {
        guard since != nil else { return -1 }
        return coversAll ? -2 : routeKey
    }

    /// The pod refused a request of a route.
    mutating func refused(_ needs: ResourceVector, routeKey: Int32, now: NIODeadline) {
        let isSame = routeKey == self.routeKey
        if !isSame, since == nil { contradictions = 0 }
        coversAll = contradictions < 2 || (since != nil && (coversAll || !isSame))
        until = now
        if !coversAll { until = now + .milliseconds(50 << Int64(min(contradictions, 5))) }
        since = now
        self.routeKey = routeKey
        self.needs = needs
    }

    /// A sample came in.
    /// - Parameter hasRoom: Whether it shows room for a request with these needs.
    mutating func sampled(sentAt: NIODeadline, now: NIODeadline, hasRoom: (ResourceVector) -> Bool) {
        guard let since, sentAt >= since, now >= until else { return }
        contradictions = hasRoom(needs) ? contradictions + 1 : 0
        self.since = nil
    }

    /// A connection failed: nothing is sent before the next sample.
    mutating func unreachable(now: NIODeadline) {
        coversAll = true
        until = now
        since = now
        routeKey = -1
        contradictions = 0
    }
}

/// All pods, those that are gone but still finish something included, in slots that are reused.
struct PodTable {
    private(set) var glances: [PodGlance] = []
    private var records: [PodRecord?] = []
    private var slots: [Int: Int] = [:]
    private var shutOrder: UInt32 = 0
    /// Pods whose soft breaker is shut.
    private(set) var softShutCount = 0

    /// Pods by slot, without the holes.
    var indices: [Int] { records.indices.filter { records[$0] != nil } }
    var count: Int { slots.count }

    func slot(_ key: Int) -> Int? { slots[key] }

    // Not `_read`: Swift 6.3 reads fields of a large value after the accessor's end, from memory that is freed (swiftlang/swift#89836).
    subscript(slot: Int) -> PodRecord {
        get { records[slot]! }
        _modify { yield &records[slot]! }
    }

    func glance(_ slot: Int) -> PodGlance { glances[slot] }

    /// Whether there is a pod in a slot.
    func isInUse(_ slot: Int) -> Bool { records[slot] != nil }

    mutating func insert(_ record: PodRecord) -> Int {
        let slot: Int
        if let hole = records.firstIndex(where: { $0 == nil }) {
            slot = hole
            records[slot] = record
        } else {
            slot = records.count
            records.append(record)
            glances.append(PodGlance())
        }
        slots[record.pod.key] = slot
        return slot
    }

    mutating func remove(_ slot: Int) {
        guard let record = records[slot] else { return }
        slots[record.pod.key] = nil
        records[slot] = nil
        if glances[slot].softShut != 0 { softShutCount -= 1 }
        glances[slot] = PodGlance()
    }

    mutating func reserve(_ slot: Int, for line: Int32) {
        records[slot]!.reservedLine = line
        glances[slot].reservedLine = line
    }

    /// Derives the glance of a pod from its record.
    mutating func refresh(_ slot: Int, now: NIODeadline, configuration: DispatchConfiguration) {
        let wasSoft = glances[slot].softShut != 0
        records[slot]!.breaker.tick(now: now)
        Self.derive(
            &glances[slot],
            from: &records[slot]!,
            shutOrder: &shutOrder,
            now: now,
            configuration: configuration
        )
        let isSoft = glances[slot].softShut != 0
        if wasSoft != isSoft { softShutCount += isSoft ? 1 : -1 }
    }

    private static func derive(
        _ glance: inout PodGlance,
        from record: inout PodRecord,
        shutOrder: inout UInt32,
        now: NIODeadline,
        configuration: DispatchConfiguration
    ) {
        if record.breaker.isClosed {
            record.shutOrder = 0
        } else if record.shutOrder == 0 {
            shutOrder += 1
            record.shutOrder = shutOrder
        }
        let isShut = record.breaker.isShut
        let isHard = isShut && record.breaker.isHard
        glance.key = record.pod.key
        glance.free = record.ledger.free
        glance.largest = record.ledger.largestRequest
        glance.utilization = record.ledger.utilization
        glance.idle = Int32(clamping: record.ledger.idle ?? .max)
        glance.reservedLine = record.reservedLine
        glance.blockedRoute = record.resting.blockedRoute
        glance.listsWorkers = record.ledger.listsWorkers
        glance.hasGPUs = record.ledger.total.gpus > 0
        glance.isRoutable =
            !record.isGone && !record.isDraining && record.failedPolls < configuration.unhealthyAfterPolls
            && record.isFresh(now, configuration) && !isHard
        glance.softShut = isShut && !isHard && glance.isRoutable ? record.shutOrder : 0
    }
}

extension PodRecord {
    /// Whether its last sample is young enough to decide by.
    func isFresh(_ now: NIODeadline, _ configuration: DispatchConfiguration) -> Bool {
        guard let receivedAt = ledger.receivedAt else { return false }
        return now < receivedAt + configuration.staleAfter
    }

    /// Whether requests may be held for it: it is there, not draining, and not known to be unwell.
    func isServing(_ now: NIODeadline, _ configuration: DispatchConfiguration) -> Bool {
        !isGone && !isDraining && failedPolls < configuration.unhealthyAfterPolls
            && (ledger.receivedAt == nil || isFresh(now, configuration))
    }

    /// When time alone changes something about it; nil for never.
    func nextChange(after now: NIODeadline, _ configuration: DispatchConfiguration) -> NIODeadline? {
        guard !isGone else { return nil }
        let stale = ledger.receivedAt.map { $0 + configuration.staleAfter }.flatMap { $0 > now ? $0 : nil }
        guard let stale, let next = breaker.nextTrial else { return stale ?? breaker.nextTrial }
        return min(stale, next)
    }
}
