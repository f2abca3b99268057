import NIOConcurrencyHelpers
import Pods
import ServiceLifecycle

/// `demo --load N`: a mixed load of N requests a second on the demo's own gateway, and what became of it, every five seconds.
struct DemoLoad: Service {
    /// At most so many requests wait for their answers; beyond them the load slows down, as real clients would.
    static let maximumUnderWay = 512

    /// Requests a second.
    let rate: Int
    /// `http://127.0.0.1:8080`
    let gateway: String
    /// Prints a line.
    let tell: @Sendable (String) -> Void

    private struct Counts {
        var answered = 0
        var refused = 0
        var failed = 0
    }

    /// Of ten requests: seven for CPUs, two for GPUs, one stream.
    static func target(_ number: Int) -> (method: String, path: String) {
        switch number % 10 {
        case 3: ("POST", "/v1/train?ms=80")
        case 7: ("POST", "/v1/infer/small?ms=40")
        case 9: ("GET", "/v1/stream?events=5&interval_ms=20")
        default: ("POST", "/v1/preprocess?ms=20")
        }
    }

    func run() async throws {
        let client = CurlClient()
        defer { client.shutdown() }
        let counts = NIOLockedValueBox(Counts())
        try? await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let clock = ContinuousClock()
                let start = clock.now
                var underWay = 0
                for number in 0... {
                    try await clock.sleep(until: start + .seconds(1) * number / rate)
                    if underWay >= Self.maximumUnderWay {
                        try await group.next()
                        underWay -= 1
                    }
                    group.addTask { await send(number, client, counts) }
                    underWay += 1
                    if number % (rate * 5) == rate * 5 - 1 { report(counts, number + 1) }
                }
            }
        }
    }

    private func send(_ number: Int, _ client: CurlClient, _ counts: NIOLockedValueBox<Counts>) async {
        let target = Self.target(number)
        var request = CurlRequest(url: gateway + target.path)
        request.method = target.method
        if target.method == "POST" { request.body = Array("{\"number\":\(number)}".utf8) }
        do {
            let answer = try await client.send(request)
            counts.withLockedValue {
                if answer.status < 400 { $0.answered += 1 } else { $0.refused += 1 }
            }
        } catch {
            counts.withLockedValue { $0.failed += 1 }
        }
    }

    private func report(_ counts: NIOLockedValueBox<Counts>, _ sent: Int) {
        let now = counts.withLockedValue { $0 }
        tell("load: \(sent) sent, \(now.answered) answered, \(now.refused) refused, \(now.failed) failed")
    }
}
