import Synchronization

/// `MAX_QUEUE_BYTES`: a bound on the bodies of all requests from their first byte to their end, in memory and spooled together. Of replays
/// those in memory: the files of the others are there already, and theirs with the requests that they repeat.
package final class ByteBudget: Sendable {
    package let limit: Int
    private let reserved = Atomic<Int>(0)

    package init(limit: Int) {
        self.limit = limit
    }

    /// What is reserved now.
    package var used: Int { reserved.load(ordering: .relaxed) }

    /// Takes bytes out of the budget; false, taking nothing, where they would go over the limit.
    /// - Parameter share: Only so much of the limit may be used up by it.
    package func reserve(_ bytes: Int, share: Double = 1) -> Bool {
        let limit = share == 1 ? limit : Int(Double(limit) * share)
        var current = reserved.load(ordering: .relaxed)
        while true {
            guard bytes <= limit - current else { return false }
            let (exchanged, original) = reserved.weakCompareExchange(
                expected: current,
                desired: current + bytes,
                ordering: .relaxed
            )
            if exchanged { return true }
            current = original
        }
    }

    /// Takes bytes whatever the limit: they are in memory already.
    package func charge(_ bytes: Int) { reserved.add(bytes, ordering: .relaxed) }

    /// Gives back what was reserved.
    package func release(_ bytes: Int) {
        let after = reserved.subtract(bytes, ordering: .relaxed).newValue
        assert(after >= 0, "more was released than reserved")
    }
}
