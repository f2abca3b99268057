import Core
import HeapModule
import NIOCore
import Queue

/// The requests that wait for the same thing: of one route and priority, with the same needs, kept from the same pods. So when its
/// first does not fit, none of it does, and nobody behind need be looked at. Trivial.
struct WaitingLine {
    var routeKey: Int
    var priority: RequestPriority
    var needs: ResourceVector
    var kept: KeptPods
    var count = 0
    /// The oldest of it: its slot, its place in the order of arrival, and when it came. -1 and last of all when empty.
    var head: Int32 = -1
    var headSequence = UInt64.max
    var headArrivedAt = NIODeadline.distantFuture
    /// The slot of the pod that is reserved for its head; -1 for none.
    var reservedPod: Int32 = -1
    /// Those that came and were never dispatched, in order.
    fileprivate var first: Int32 = -1
    fileprivate var last: Int32 = -1
    fileprivate var nextOfRoute: Int32 = -1
    fileprivate var activeIndex: Int32 = -1

    /// Whether its head goes before another line's.
    @inline(__always)
    func precedes(_ other: WaitingLine) -> Bool {
        (priority, headSequence) < (other.priority, other.headSequence)
    }
}

/// All lines in which someone waits. Joining, leaving and taking the first cost O(1), O(log n) for those that came back from a pod.
struct WaitingLines {
    /// A place in the heap of those that came back. What no longer holds is recognised when it comes to the top.
    private struct Returned: Comparable {
        var sequence: UInt64
        var slot: Int32

        static func < (left: Self, right: Self) -> Bool { left.sequence < right.sequence }
    }

    private var lines: [WaitingLine] = []
    private var returned: [Heap<Returned>] = []
    private var vacant: [Int32] = []
    /// The first line of each route, by its key.
    private var firstOfRoute: [Int32] = []
    /// The lines that are not empty, in no order.
    private(set) var active: [Int32] = []
    /// Waiting in all.
    private(set) var count = 0
    /// Replays among them.
    private(set) var replayCount = 0

    // Not `_read`: see ``PodTable``.
    subscript(line: Int) -> WaitingLine {
        get { lines[line] }
        _modify { yield &lines[line] }
    }

    /// The line for a request, if anyone waits in it.
    func line(routeKey: Int, priority: RequestPriority, needs: ResourceVector, kept: KeptPods = KeptPods()) -> Int? {
        var line = routeKey < firstOfRoute.count ? firstOfRoute[routeKey] : -1
        while line >= 0 {
            let candidate = lines[Int(line)]
            if candidate.priority == priority, candidate.needs == needs, candidate.kept == kept { return Int(line) }
            line = candidate.nextOfRoute
        }
        return nil
    }

    /// Calls for each line of a route.
    func forEach(ofRoute routeKey: Int, _ body: (Int) -> Void) {
        var line = routeKey < firstOfRoute.count ? firstOfRoute[routeKey] : -1
        while line >= 0 {
            body(Int(line))
            line = lines[Int(line)].nextOfRoute
        }
    }

    /// Waiting of one route.
    /// - Parameter priority: Only of that; nil for both.
    func count(ofRoute routeKey: Int, priority: RequestPriority? = nil) -> Int {
        var count = 0
        forEach(ofRoute: routeKey) { line in
            if priority == nil || lines[line].priority == priority { count += lines[line].count }
        }
        return count
    }

    /// Puts a request, in `requests` already, in its line: at the end where it has just come, else at its old place.
    /// - Returns: The line, and whether the request is its first now.
    mutating func join(_ slot: Int, _ requests: inout RequestTable) -> (line: Int, isHead: Bool) {
        let entry = requests[slot]
        let routeKey = Int(entry.routeKey)
        let line =
            self.line(routeKey: routeKey, priority: entry.priority, needs: entry.needs, kept: entry.kept)
            ?? makeLine(entry)
        requests[slot].phase = .waiting
        requests[slot].line = Int32(line)
        if entry.wasReturned {
            returned[line].insert(Returned(sequence: entry.sequence, slot: Int32(slot)))
        } else {
            let last = lines[line].last
            requests[slot].previous = last
            requests[slot].next = -1
            if last >= 0 { requests[Int(last)].next = Int32(slot) } else { lines[line].first = Int32(slot) }
            lines[line].last = Int32(slot)
        }
        lines[line].count += 1
        count += 1
        if entry.priority == .replay { replayCount += 1 }
        let isHead = entry.sequence < lines[line].headSequence
        if isHead { setHead(line, slot, entry) }
        return (line, isHead)
    }

    /// Takes a request out of its line. An empty line is gone: its number may be another's afterwards.
    /// - Returns: The line, and whether the request was its first.
    @discardableResult
    mutating func leave(_ slot: Int, _ requests: inout RequestTable) -> (line: Int, wasHead: Bool) {
        let entry = requests[slot]
        let line = Int(entry.line)
        requests[slot].line = -1
        lines[line].count -= 1
        count -= 1
        if entry.priority == .replay { replayCount -= 1 }
        if !entry.wasReturned {
            if entry.previous >= 0 {
                requests[Int(entry.previous)].next = entry.next
            } else {
                lines[line].first = entry.next
            }
            if entry.next >= 0 {
                requests[Int(entry.next)].previous = entry.previous
            } else {
                lines[line].last = entry.previous
            }
        }
        let wasHead = lines[line].head == Int32(slot)
        if lines[line].count == 0 {
            remove(line)
        } else if wasHead {
            findHead(line, requests)
        } else if returned[line].count > 2 * lines[line].count + 64 {
            returned[line] = Heap(returned[line].unordered.filter { Self.holds($0, line, requests) })
        }
        return (line, wasHead)
    }

    private mutating func findHead(_ line: Int, _ requests: RequestTable) {
        while let top = returned[line].min, !Self.holds(top, line, requests) { _ = returned[line].popMin() }
        let first = lines[line].first
        if let top = returned[line].min, first < 0 || top.sequence < requests[Int(first)].sequence {
            setHead(line, Int(top.slot), requests[Int(top.slot)])
        } else {
            setHead(line, Int(first), requests[Int(first)])
        }
    }

    private static func holds(_ returned: Returned, _ line: Int, _ requests: RequestTable) -> Bool {
        let entry = requests[Int(returned.slot)]
        return entry.sequence == returned.sequence && entry.line == Int32(line) && entry.phase == .waiting
    }

    private mutating func setHead(_ line: Int, _ slot: Int, _ entry: RequestEntry) {
        lines[line].head = Int32(slot)
        lines[line].headSequence = entry.sequence
        lines[line].headArrivedAt = entry.arrivedAt
    }

    private mutating func makeLine(_ entry: RequestEntry) -> Int {
        let routeKey = Int(entry.routeKey)
        while firstOfRoute.count <= routeKey { firstOfRoute.append(-1) }
        var line = WaitingLine(
            routeKey: routeKey,
            priority: entry.priority,
            needs: entry.needs,
            kept: entry.kept
        )
        line.nextOfRoute = firstOfRoute[routeKey]
        line.activeIndex = Int32(active.count)
        let index: Int
        if let reused = vacant.popLast() {
            index = Int(reused)
            lines[index] = line
        } else {
            index = lines.count
            lines.append(line)
            returned.append(Heap())
        }
        firstOfRoute[routeKey] = Int32(index)
        active.append(Int32(index))
        return index
    }

    private mutating func remove(_ line: Int) {
        let gone = lines[line]
        if firstOfRoute[gone.routeKey] == Int32(line) {
            firstOfRoute[gone.routeKey] = gone.nextOfRoute
        } else {
            var before = Int(firstOfRoute[gone.routeKey])
            while lines[before].nextOfRoute != Int32(line) { before = Int(lines[before].nextOfRoute) }
            lines[before].nextOfRoute = gone.nextOfRoute
        }
        let moved = active.removeLast()
        if moved != Int32(line) {
            active[Int(gone.activeIndex)] = moved
            lines[Int(moved)].activeIndex = gone.activeIndex
        }
        if !returned[line].isEmpty { returned[line] = Heap() }
        lines[line].head = -1
        lines[line].headSequence = .max
        lines[line].headArrivedAt = .distantFuture
        vacant.append(Int32(line))
    }
}
