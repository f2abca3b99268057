import NIOCore
import Queue

/// What `GET /admin/api/history` answers: the last 15 minutes, oldest first.
package struct HistoryPayload: Codable, Sendable {
    /// One interval. What is null had no request to tell it from.
    package struct Point: Codable, Equatable, Sendable {
        /// When it began.
        package var at: String
        package var completed: Int
        /// Of the completed, those that a pod answered with 500 or above.
        package var serverErrors: Int
        package var failed: Int
        package var expired: Int
        package var cancelled: Int
        package var rejected: Int
        /// The most that waited in it.
        package var depth: Int
        package var oldestAge: Double
        @Nullable package var holdP50: Double?
        @Nullable package var holdP99: Double?
        @Nullable package var upstreamP50: Double?
        @Nullable package var upstreamP99: Double?

        init(_ point: HistoryPoint) {
            at = RequestSummaryPayload.time(point.beganMilliseconds)
            completed = point.counts.completed
            serverErrors = point.counts.serverErrors
            failed = point.counts.failed
            expired = point.counts.expired
            cancelled = point.counts.cancelled
            rejected = point.counts.rejected
            depth = point.depth
            oldestAge = point.oldestAge.seconds
            holdP50 = point.hold.median?.preciseSeconds
            holdP99 = point.hold.p99?.preciseSeconds
            upstreamP50 = point.upstream.median?.preciseSeconds
            upstreamP99 = point.upstream.p99?.preciseSeconds
        }
    }

    /// Of each point.
    package var interval: Double
    package var points: [Point]

    init(_ points: [HistoryPoint]) {
        interval = HistoryPoint.interval.seconds
        self.points = points.map(Point.init)
    }
}
