import NIOConcurrencyHelpers
import Synchronization

/// `MAX_QUEUE_BYTES`: a bound on the bodies of all requests from their first byte to their end, in memory and spooled together. Of replays
/// those in memory: the files of the others are there already, and theirs with the requests that they repeat.
package final class ByteBudget: Sendable {
    /// What the requests of one route have of it.
    package final class Share: Sendable {
        fileprivate let reserved = Atomic<Int>(0)

        fileprivate init() {}

        /// What is reserved now.
        package var used: Int { reserved.load(ordering: .relaxed) }
    }

    package let limit: Int
    private let reserved = Atomic<Int>(0)
    /// By the routes' keys.
    private let shares = NIOLockedValueBox<[Share]>([])

    package init(limit: Int) {
        self.limit = limit
    }

    /// What is reserved now.
    package var used: Int { reserved.load(ordering: .relaxed) }

    /// The share of the route with that key: the same each time. To be kept, since it takes a lock.
    package func share(ofRoute key: Int) -> Share {
        shares.withLockedValue { shares in
            while shares.count <= key { shares.append(Share()) }
            return shares[key]
        }
    }

    /// Takes bytes out of the budget for a request of a route; false, taking nothing, where there is no room.
    ///
    /// A budget that others have filled stays open to a route that has no more than a 64th of it, up to an eighth above the limit: one route
    /// that overflows does not close the door to the rest. Routes' requests on other threads may pass a 64th by what they read at once.
    package func reserve(_ bytes: Int, for share: Share) -> Bool {
        let isSmall = share.used + bytes <= limit / 64
        guard reserve(bytes, upTo: isSmall ? limit + limit / 8 : limit) else { return false }
        share.reserved.add(bytes, ordering: .relaxed)
        return true
    }

    /// Takes bytes out of the budget; false, taking nothing, where they would go over the limit.
    /// - Parameter share: Only so much of the limit may be used up by it.
    package func reserve(_ bytes: Int, share: Double = 1) -> Bool {
        reserve(bytes, upTo: share == 1 ? limit : Int(Double(limit) * share))
    }

    private func reserve(_ bytes: Int, upTo limit: Int) -> Bool {
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

    /// Gives back what was reserved for a request of a route.
    package func release(_ bytes: Int, of share: Share) {
        share.reserved.subtract(bytes, ordering: .relaxed)
        release(bytes)
    }

    /// Gives back what was reserved.
    package func release(_ bytes: Int) {
        let after = reserved.subtract(bytes, ordering: .relaxed).newValue
        assert(after >= 0, "more was released than reserved")
    }
}
