/// A generator that gives the same numbers for the same seed, everywhere (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
    mutating func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }
}

/// What happens later in the simulated world, in order of time; what was planned first goes first.
struct Agenda<Event> {
    private var nodes: [(time: Int64, order: Int, event: Event)] = []
    private var planned = 0

    var nextTime: Int64? { nodes.first?.time }

    mutating func plan(_ event: Event, at time: Int64) {
        nodes.append((time, planned, event))
        planned += 1
        var child = nodes.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            nodes.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popNext() -> (time: Int64, event: Event)? {
        guard let first = nodes.first else { return nil }
        let last = nodes.removeLast()
        if !nodes.isEmpty {
            nodes[0] = last
            var parent = 0
            while true {
                var child = parent * 2 + 1
                guard child < nodes.count else { break }
                if child + 1 < nodes.count, precedes(child + 1, child) { child += 1 }
                guard precedes(child, parent) else { break }
                nodes.swapAt(child, parent)
                parent = child
            }
        }
        return (first.time, first.event)
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (nodes[left].time, nodes[left].order) < (nodes[right].time, nodes[right].order)
    }
}
