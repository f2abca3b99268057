/// Which pods' polls fail, so that it is told once: when one never answered at all, or when one that did is taken for unhealthy; and again when it
/// is over.
struct PollTroubles {
    /// As many in a row make a pod unhealthy (design: Health).
    static let limit = 3

    private struct Entry {
        var hasAnswered = false
        var failuresInARow = 0
        var isTold = false
    }

    private var entries: [Int: Entry] = [:]

    /// Forgets all others.
    mutating func keep(only keys: Set<Int>) {
        entries = entries.filter { keys.contains($0.key) }
    }

    /// - Returns: Whether this is to be told: it is news.
    mutating func failed(_ key: Int) -> Bool {
        var entry = entries[key, default: Entry()]
        defer { entries[key] = entry }
        entry.failuresInARow += 1
        guard !entry.isTold, !entry.hasAnswered || entry.failuresInARow >= Self.limit else { return false }
        entry.isTold = true
        return true
    }

    /// - Returns: Whether this is to be told: trouble was told, and is over.
    mutating func succeeded(_ key: Int) -> Bool {
        let wasTold = entries[key]?.isTold ?? false
        entries[key] = Entry(hasAnswered: true)
        return wasTold
    }
}
