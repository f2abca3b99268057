/// The known name that an unknown one was most likely meant to be.
enum NearestName {
    /// The closest by edits (insert, remove, replace, swap of neighbours) within a third of the name's length, else one that contains it.
    /// Case and `-` or `_` do not count.
    static func find(_ name: String, among known: [String]) -> String? {
        let plain = normalized(name)
        let bound = max(1, min(plain.count, 64) / 3)
        let near = known.map { (name: $0, edits: edits(plain, normalized($0))) }.filter { $0.edits <= bound }
        if let nearest = near.min(by: { $0.edits < $1.edits }) { return nearest.name }
        // `gpus` for `num_gpus`.
        return plain.count < 3 ? nil : known.first { String(normalized($0)).contains(String(plain)) }
    }

    /// `; did you mean x?`, or nothing.
    static func hint(_ name: String, among known: [String]) -> String {
        find(name, among: known).map { "; did you mean \($0)?" } ?? ""
    }

    private static func normalized(_ name: String) -> [Character] {
        name.lowercased().prefix(64).filter { $0 != "-" && $0 != "_" }
    }

    /// The optimal string alignment distance.
    private static func edits(_ left: [Character], _ right: [Character]) -> Int {
        guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 1...left.count {
            var current = [row]
            for column in 1...right.count {
                let same = left[row - 1] == right[column - 1]
                var cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1))
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    cost = min(cost, beforeLast[column - 2] + 1)
                }
                current.append(cost)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
