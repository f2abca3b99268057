import NIOConcurrencyHelpers

/// Operators' values that survive a restart: hold timeouts per route id.
package final class Settings: Sendable {
    private let values = NIOLockedValueBox<[String: Duration]>([:])

    init() {}

    /// All that are set.
    package var holdTimeouts: [String: Duration] { values.withLockedValue { $0 } }

    /// Sets a route's hold timeout, or gives it back with nil. Durable when this returns.
    package func setHoldTimeout(_ timeout: Duration?, for routeID: String) async throws {
        values.withLockedValue { $0[routeID] = timeout }
    }
}
