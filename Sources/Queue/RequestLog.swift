package import Core

/// The request log, as operators read it: short reads beside the writer, each interrupted after `readTimeout`.
package final class RequestLog: Sendable {
    init() {}

    package func page(
        _ filter: LogFilter = LogFilter(),
        before: RequestID? = nil,
        limit: Int = 50
    ) async throws -> LogPage {
        LogPage(entries: [], next: nil, scanned: 0)
    }

    package func count(_ filter: LogFilter) async throws -> LogCount {
        LogCount(matching: 0, scanned: 0, next: nil)
    }

    package func detail(_ id: RequestID) async throws -> LogEntry? { nil }

    package func replaySource(_ id: RequestID) async throws -> ReplaySource? { nil }
}
