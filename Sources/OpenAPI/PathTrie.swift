package import Core

/// The tree of segments under ``PathMatcher``; not generic, so that it is compiled once and well.
package struct PathTrie: Sendable {
    private struct Node: Sendable {
        /// The first of its literal edges in ``edges``, -1 for none.
        var firstEdge: Int32 = -1
        /// In the order in which they are tried.
        var patterns: [Pattern] = []
        /// The node behind `{name}`, -1 for none.
        var parameter: Int32 = -1
        /// The first of what ends here in ``entries``, -1 for none.
        var firstEntry: Int32 = -1
    }

    private struct Edge: Sendable {
        /// Where its bytes are in ``text``.
        var start: Int
        var count: Int
        var child: Int32
        var next: Int32
    }

    private struct Pattern: Sendable {
        var literals: [[UInt8]]
        var child: Int32

        /// Most literal bytes first, then the longest beginning, then the order of the bytes: the same whatever the file's order is.
        func goesBefore(_ other: Pattern) -> Bool {
            let (mine, others) = (literals.joined(), other.literals.joined())
            if mine.count != others.count { return mine.count > others.count }
            if literals[0].count != other.literals[0].count { return literals[0].count > other.literals[0].count }
            return mine.lexicographicallyPrecedes(others)
        }
    }

    private struct Entry: Sendable {
        /// nil for every method.
        var method: RequestMethod?
        var value: Int32
        var next: Int32
    }

    private var nodes = [Node()]
    private var edges: [Edge] = []
    private var entries: [Entry] = []
    private var text: [UInt8] = []

    package init() {}

    // MARK: Building

    /// Adds an entry, or returns the one that is there already for this method.
    mutating func insert(_ segments: [PathTemplate.Segment], method: RequestMethod?, entry: Int32) -> Int32? {
        var node = 0
        for segment in segments { node = Int(child(of: node, at: segment)) }
        var index = nodes[node].firstEntry
        while index >= 0 {
            if entries[Int(index)].method == method { return entries[Int(index)].value }
            index = entries[Int(index)].next
        }
        entries.append(Entry(method: method, value: entry, next: nodes[node].firstEntry))
        nodes[node].firstEntry = Int32(entries.count - 1)
        return nil
    }

    private mutating func child(of node: Int, at segment: PathTemplate.Segment) -> Int32 {
        switch segment {
        case .literal(let bytes):
            var index = nodes[node].firstEdge
            while index >= 0 {
                let edge = edges[Int(index)]
                if text[edge.start..<(edge.start + edge.count)].elementsEqual(bytes) { return edge.child }
                index = edge.next
            }
            let child = makeNode()
            edges.append(
                Edge(start: text.count, count: bytes.count, child: child, next: nodes[node].firstEdge)
            )
            text += bytes
            nodes[node].firstEdge = Int32(edges.count - 1)
            return child
        case .parameter:
            if nodes[node].parameter < 0 { nodes[node].parameter = makeNode() }
            return nodes[node].parameter
        case .pattern(let literals):
            if let known = nodes[node].patterns.first(where: { $0.literals == literals }) { return known.child }
            let pattern = Pattern(literals: literals, child: makeNode())
            let index = nodes[node].patterns.firstIndex { pattern.goesBefore($0) }
            nodes[node].patterns.insert(pattern, at: index ?? nodes[node].patterns.endIndex)
            return pattern.child
        }
    }

    private mutating func makeNode() -> Int32 {
        nodes.append(Node())
        return Int32(nodes.count - 1)
    }

    // MARK: Matching

    /// The entry for a request, -1 for none.
    package func match(_ target: UnsafeRawBufferPointer, method: RequestMethod) -> Int32 {
        var end = 0
        var isEncoded = false
        while end < target.count, target[end] != UInt8(ascii: "?"), target[end] != UInt8(ascii: "#") {
            if target[end] == UInt8(ascii: "%") { isEncoded = true }
            end += 1
        }
        guard end > 0, target[0] == UInt8(ascii: "/") else { return -1 }
        let path = UnsafeRawBufferPointer(rebasing: target[..<end])
        var found: Int32
        if isEncoded {
            // On the stack where it is short.
            found = withUnsafeTemporaryAllocation(byteCount: path.count, alignment: 1) { decoded in
                let count = PercentEncoding.undo(path, into: decoded)
                return find(UnsafeRawBufferPointer(rebasing: decoded[..<count]), from: 1, in: 0, method)
            }
        } else {
            found = find(path, from: 1, in: 0, method)
        }
        if found < 0, !entries.isEmpty, ResolvedPath.differs(from: path) { found = findResolved(path, method) }
        return found
    }

    /// Looks for the path that a server would make of this one, without a slash at its end and with it.
    private func findResolved(_ path: UnsafeRawBufferPointer, _ method: RequestMethod) -> Int32 {
        var resolved = ResolvedPath.of(path)
        let found = resolved.withUnsafeBytes { find($0, from: 1, in: 0, method) }
        if found >= 0 || resolved.count == 1 { return found }
        resolved.append(UInt8(ascii: "/"))
        return resolved.withUnsafeBytes { find($0, from: 1, in: 0, method) }
    }

    /// Looks below a node for the segment that begins at `start`; one past the path's end says that nothing is left of it.
    private func find(_ path: UnsafeRawBufferPointer, from start: Int, in node: Int, _ method: RequestMethod) -> Int32 {
        guard start <= path.count else { return entry(of: node, method) }
        var end = start
        while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
        let segment = UnsafeRawBufferPointer(rebasing: path[start..<end])

        var index = nodes[node].firstEdge
        while index >= 0 {
            let edge = edges[Int(index)]
            if edge.count == segment.count, matches(edge, segment) {
                let found = find(path, from: end + 1, in: Int(edge.child), method)
                if found >= 0 { return found }
                break
            }
            index = edge.next
        }
        // A server never sees these as a parameter's value: it has resolved them.
        if segment.isDots { return -1 }
        if !nodes[node].patterns.isEmpty {
            for pattern in nodes[node].patterns where Self.matches(pattern.literals, segment) {
                let found = find(path, from: end + 1, in: Int(pattern.child), method)
                if found >= 0 { return found }
            }
        }
        let parameter = nodes[node].parameter
        return parameter >= 0 && !segment.isEmpty ? find(path, from: end + 1, in: Int(parameter), method) : -1
    }

    private func matches(_ edge: Edge, _ segment: UnsafeRawBufferPointer) -> Bool {
        for offset in 0..<edge.count where text[edge.start + offset] != segment[offset] { return false }
        return true
    }

    private func entry(of node: Int, _ method: RequestMethod) -> Int32 {
        var (gets, any): (Int32, Int32) = (-1, -1)
        var index = nodes[node].firstEntry
        while index >= 0 {
            let entry = entries[Int(index)]
            if entry.method == method { return entry.value }
            if entry.method == nil { any = entry.value }
            if entry.method == .get, method == .head { gets = entry.value }
            index = entry.next
        }
        return gets >= 0 ? gets : any
    }

    /// Whether a segment is the literals in their order with at least one byte between each two. The first is at its beginning and
    /// the last at its end; taking each of the others at its first place leaves most for those after it.
    private static func matches(_ literals: [[UInt8]], _ segment: UnsafeRawBufferPointer) -> Bool {
        let (first, last) = (literals[0], literals[literals.count - 1])
        let end = segment.count - last.count
        guard first.count < end, segment.starts(with: first), segment[end...].elementsEqual(last) else { return false }
        var position = first.count
        for literal in literals[1..<(literals.count - 1)] {
            position += 1
            while true {
                guard position + literal.count < end else { return false }
                if segment[position..<(position + literal.count)].elementsEqual(literal) { break }
                position += 1
            }
            position += literal.count
        }
        return position < end
    }
}

extension UnsafeRawBufferPointer {
    /// Whether it is `.` or `..`.
    @inline(__always)
    fileprivate var isDots: Bool {
        (count == 1 || count == 2) && self[0] == UInt8(ascii: ".") && self[count - 1] == UInt8(ascii: ".")
    }
}
