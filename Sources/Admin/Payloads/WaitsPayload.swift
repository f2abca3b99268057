import NIOCore
import Queue

/// How long requests that ended lately had been held; null where none ended.
package struct WaitsPayload: Codable, Equatable, Sendable {
    /// What is looked back on.
    package var window: Double
    package var count: Int
    @Nullable package var p50: Double?
    @Nullable package var p90: Double?
    @Nullable package var p99: Double?
    @Nullable package var max: Double?

    init(_ waits: WaitStatistics) {
        window = WaitStatistics.window.seconds
        count = waits.count
        p50 = waits.median?.preciseSeconds
        p90 = waits.p90?.preciseSeconds
        p99 = waits.p99?.preciseSeconds
        max = waits.longest?.preciseSeconds
    }
}
