import Core
import NIOCore

/// Counts wrong tokens by address, so that nobody tries many: after ``limit`` within ``window`` no token of that address is looked at,
/// right or wrong, until the first of them is that old. What is turned away meanwhile does not count.
struct FailureTable {
    static let limit = 5
    static let window = TimeAmount.minutes(1)
    /// Addresses that are remembered; the one whose last failure is oldest is forgotten for a new one.
    static let capacity = 4096

    /// The times of each host's last failures, oldest first; at most ``limit``.
    private var failures: [String: [NIODeadline]] = [:]

    var count: Int { failures.count }

    /// How long an address has to wait before it may try again; nil where it need not.
    func wait(of address: String, now: NIODeadline) -> TimeAmount? {
        guard let times = failures[AddressBlock.host(of: address)], times.count == Self.limit, let first = times.first
        else {
            return nil
        }
        let end = first + Self.window
        return end > now ? end - now : nil
    }

    /// - Returns: Whether this one was the last that is let pass.
    mutating func failed(_ address: String, now: NIODeadline) -> Bool {
        let key = AddressBlock.host(of: address)
        var times = failures[key] ?? []
        if times.isEmpty, failures.count >= Self.capacity { forget(now) }
        times.removeAll { $0 + Self.window <= now }
        times.append(now)
        failures[key] = times.suffix(Self.limit)
        return times.count == Self.limit
    }

    /// Makes room: of what is over, else of the one that has been quiet for longest.
    private mutating func forget(_ now: NIODeadline) {
        failures = failures.filter { $0.value.last.map { $0 + Self.window > now } ?? false }
        guard failures.count >= Self.capacity else { return }
        let oldest = failures.min { ($0.value.last ?? now) < ($1.value.last ?? now) }
        if let oldest { failures[oldest.key] = nil }
    }
}
