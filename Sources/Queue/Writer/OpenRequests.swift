/// The committed requests that have no committed outcome yet, by id; for the low-water mark from which recovery scans.
///
/// Ids come in ascending order and leave in any. They are kept in one sorted array; one that has left stays as a gap until gaps
/// outnumber the rest, so each operation costs at most a binary search, and memory grows with what is open, not with what passed.
struct OpenRequests {
    /// A gap is its id negated.
    private var ids: [Int64] = []
    /// Where the first one that is open stands.
    private var first = 0
    private(set) var count = 0

    init() {}

    /// What is kept, gaps included.
    var capacityInUse: Int { ids.count }

    /// The smallest.
    var lowest: Int64? { count > 0 ? ids[first] : nil }

    /// - Precondition: Above every id that was added before.
    mutating func add(_ id: Int64) {
        assert(ids.last.map { abs($0) < id } ?? true)
        ids.append(id)
        count += 1
    }

    /// Those in a range, in order.
    func ids(in range: Range<Int64>) -> [Int64] {
        ids[first...].filter { $0 > 0 && range.contains($0) }
    }

    func contains(_ id: Int64) -> Bool { index(of: id) != nil }

    /// Takes one out; nothing happens where it is not there.
    mutating func remove(_ id: Int64) {
        guard let index = index(of: id) else { return }
        ids[index] = -id
        count -= 1
        while first < ids.count, ids[first] < 0 { first += 1 }
        if ids.count > 64, ids.count > 2 * count { compact() }
    }

    private func index(of id: Int64) -> Int? {
        var low = first
        var high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if abs(ids[middle]) < id { low = middle + 1 } else { high = middle }
        }
        return low < ids.count && ids[low] == id ? low : nil
    }

    private mutating func compact() {
        ids.removeAll { $0 < 0 }
        first = 0
    }
}
