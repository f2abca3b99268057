import Synchronization

/// `MAX_QUEUE_BYTES`: a bound on the bodies of all requests from their first byte to their end, in memory and spooled together.
package final class ByteBudget: Sendable {
    package let limit: Int
    private let reserved = Atomic<Int>(0)

    package init(limit: Int) {
        self.limit = limit
    }

    /// What is reserved now.
    package var used: Int { reserved.load(ordering: .relaxed) }

    /// Takes bytes out of the budget; false, taking nothing, where they would go over the limit.
    package func reserve(_ bytes: Int) -> Bool {
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

    /// Gives back what was reserved.
    package func release(_ bytes: Int) {
        let after = reserved.subtract(bytes, ordering: .relaxed).newValue
        assert(after >= 0, "more was released than reserved")
    }
}
