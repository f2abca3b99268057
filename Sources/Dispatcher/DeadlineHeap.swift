import NIOCore

/// The hold deadlines of all that wait: the nearest at hand, each movable and removable in O(log n) by its slot.
struct DeadlineHeap {
    private struct Node {
        var deadline: NIODeadline
        var slot: Int32
    }

    private var nodes: [Node] = []
    /// Where each slot's node is; -1 for none.
    private var positions: [Int32] = []

    var nearest: (slot: Int, deadline: NIODeadline)? {
        nodes.first.map { (Int($0.slot), $0.deadline) }
    }

    func deadline(of slot: Int) -> NIODeadline? {
        guard slot < positions.count, positions[slot] >= 0 else { return nil }
        return nodes[Int(positions[slot])].deadline
    }

    /// Enters a slot, or moves it.
    mutating func set(_ slot: Int, to deadline: NIODeadline) {
        while positions.count <= slot { positions.append(-1) }
        let position: Int
        if positions[slot] >= 0 {
            position = Int(positions[slot])
            nodes[position].deadline = deadline
        } else {
            position = nodes.count
            nodes.append(Node(deadline: deadline, slot: Int32(slot)))
            positions[slot] = Int32(position)
        }
        if !rise(position) { sink(position) }
    }

    /// Removes a slot, if it is there.
    mutating func remove(_ slot: Int) {
        guard slot < positions.count, positions[slot] >= 0 else { return }
        let position = Int(positions[slot])
        positions[slot] = -1
        let last = nodes.removeLast()
        guard position < nodes.count else { return }
        put(last, position)
        if !rise(position) { sink(position) }
    }

    private mutating func put(_ node: Node, _ position: Int) {
        nodes[position] = node
        positions[Int(node.slot)] = Int32(position)
    }

    private mutating func rise(_ start: Int) -> Bool {
        var position = start
        let node = nodes[start]
        while position > 0 {
            let parent = (position - 1) / 2
            guard node.deadline < nodes[parent].deadline else { break }
            put(nodes[parent], position)
            position = parent
        }
        put(node, position)
        return position != start
    }

    private mutating func sink(_ start: Int) {
        var position = start
        let node = nodes[start]
        while true {
            var child = position * 2 + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].deadline < nodes[child].deadline { child += 1 }
            guard nodes[child].deadline < node.deadline else { break }
            put(nodes[child], position)
            position = child
        }
        put(node, position)
    }
}
