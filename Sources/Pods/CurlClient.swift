/// The control plane's HTTP client: libcurl's multi interface on one thread of its own.
package final class CurlClient: Sendable {
    package init() {}

    /// Ends the thread; what is under way ends with ``PodsError/Code/closed``. Returns when the thread is gone.
    package func shutdown() { fatalError("comes with the next commit") }

    /// One exchange. Ends early with ``PodsError/Code/cancelled`` when the task is cancelled. Any status is an answer, not an error.
    package func send(_ request: CurlRequest) async throws(PodsError) -> CurlResponse {
        fatalError("comes with the next commit")
    }
}

/// What ``CurlClient`` sends.
package struct CurlRequest: Sendable {
    package var method = "GET"
    package var url: String
    package var fields: [(name: String, value: String)] = []
    package var body: [UInt8]?

    package init(url: String) { self.url = url }
}

/// What came back.
package struct CurlResponse: Sendable {
    package var status: Int
    package var body: [UInt8]
}
