import Core
import NIOCore
import Queue

/// One live request, as far as decisions need it. Trivial, so that the table is one block of memory.
struct RequestEntry {
    enum Phase: UInt8 {
        case vacant
        case waiting
        case leased
    }

    var generation: UInt32 = 0
    var phase = Phase.vacant
    /// It was dispatched before and is ordered in its line's heap, not in its list.
    var wasReturned = false
    /// A pod refused it as busy, and no attempt has died under it since.
    var wasBusy = false
    /// No connection came about to the last pod that it was sent to.
    var wasUnreached = false
    /// Nobody waits for it: its hold timeout ends its wait only where no pod could ever hold it.
    var isPatient = false
    /// It is its pod's breaker's trial.
    var isTrial = false
    var priority = RequestPriority.live
    /// Attempts that died after the pod may have begun.
    var deaths: Int32 = 0
    var routeKey: Int32 = 0
    /// The line that it waits in; -1 while leased.
    var line: Int32 = -1
    /// Its neighbours in the line's list.
    var previous: Int32 = -1
    var next: Int32 = -1
    /// The pod's slot and the lease there, while leased.
    var pod: Int32 = -1
    var lease: Int32 = -1
    /// Its place in the order of arrival, for good.
    var sequence: UInt64 = 0
    var needs = ResourceVector.zero
    var kept = KeptPods()
    var arrivedAt = NIODeadline.uptimeNanoseconds(0)
    /// When the attempt under way was decided.
    var startedAt = NIODeadline.uptimeNanoseconds(0)
    /// Its own bound on its hold; ``DispatchMachine/longestHold`` for none.
    var holdLimit = TimeAmount.zero
    /// The time that it spent with pods that died under it: not hold.
    var awayFor = TimeAmount.zero
}

/// The pods that a request died at, by key: it is kept from them while another could hold it. The last two are remembered.
struct KeptPods: Equatable {
    private var last = -1
    private var secondLast = -1

    var isEmpty: Bool { last < 0 }

    func contains(_ key: Int) -> Bool { last == key || secondLast == key }

    mutating func add(_ key: Int) {
        guard last != key else { return }
        secondLast = last
        last = key
    }
}

/// All live requests, in slots that are reused.
struct RequestTable {
    private var entries: [RequestEntry] = []
    private var vacant: [Int32] = []

    var count: Int { entries.count - vacant.count }

    // Not `_read`: see ``PodTable``.
    subscript(slot: Int) -> RequestEntry {
        get { entries[slot] }
        _modify { yield &entries[slot] }
    }

    /// Enters a request.
    mutating func insert(_ entry: RequestEntry) -> Int {
        guard let slot = vacant.popLast() else {
            entries.append(entry)
            return entries.count - 1
        }
        let generation = entries[Int(slot)].generation
        entries[Int(slot)] = entry
        entries[Int(slot)].generation = generation
        return Int(slot)
    }

    /// Voids its ticket.
    mutating func remove(_ slot: Int) {
        entries[slot].phase = .vacant
        entries[slot].generation &+= 1
        vacant.append(Int32(slot))
    }

    func ticket(_ slot: Int) -> Ticket { Ticket(slot: Int32(slot), generation: entries[slot].generation) }

    /// The slot of a live request; nil where its ticket is void.
    func slot(_ ticket: Ticket) -> Int? {
        let slot = Int(ticket.slot)
        guard slot < entries.count, entries[slot].generation == ticket.generation, entries[slot].phase != .vacant
        else { return nil }
        return slot
    }

    /// The slots in a phase; for what is rare.
    func slots(_ phase: RequestEntry.Phase) -> [Int] {
        entries.indices.filter { entries[$0].phase == phase }
    }
}
