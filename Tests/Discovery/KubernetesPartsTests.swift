import NIOCore
import OpenAPI
import Pods
import Testing

@testable import Discovery

@Suite("Parts of finding pods in Kubernetes")
struct KubernetesPartsTests {
    @Test(
        "label selectors of every form are let pass",
        arguments: [
            "app=pods", "app==pods", "app!=pods", "app", "!app", "example.com/app=a.b_c-d", "app=",
            "a=b,c in (d, e),!f , g notin (h)",
            "cores>4,cores<9", "app in (a)", "app in ()",
        ]
    )
    func selectors(text: String) throws { try LabelSelector.check(text) }

    @Test(
        "what does not parse is refused by its part",
        arguments: [
            ("", "it is empty"), ("a=b,", "stands nothing"), ("a=b,,c", "stands nothing"), ("-a=b", "\"-a\" is no key"),
            ("a=b c", "\"b c\" is no value"), ("a in b", "\"a in b\" is no key"),
            ("a in (b", "its bracket is not closed"),
            ("a of (b)", "`in` or `notin`"), ("in (b)", "`in` or `notin`"), ("a/b/c=d", "is no key"),
            ("/a=b", "is no key"), ("Example.com/a", "is no key"), ("a_b.com/a", "is no key"),
            ("example..com/a", "is no key"), ("-example.com/a", "is no key"), ("example.com./a", "is no key"),
            ("a=\(String(repeating: "b", count: 64))", "is no value"), ("a=\"b\"", "is no value"),
            ("a in (b, -c)", "\"-c\" is no value"),
        ]
    )
    func badSelectors(text: String, message: String) {
        let error = #expect(throws: DiscoveryError.self) { try LabelSelector.check(text) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "nothing")")
    }

    /// Always the middle of what is asked for.
    private struct Halves: RandomNumberGenerator, Sendable {
        func next() -> UInt64 { .max / 2 }
    }

    @Test("pauses double up to what their cause allows, and begin anew after a success")
    func pauses() {
        var pace = RetryPace(generator: Halves())
        let away = DiscoveryError(.unreachable, "away")
        let pauses = (0..<6).map { _ in pace.pause(after: away) }
        for (pause, whole) in zip(pauses, [50, 100, 200, 400, 500, 500]) {
            #expect(pause > .milliseconds(whole * 7 / 10) && pause < .milliseconds(whole * 8 / 10))
        }
        // Another cause: what was learnt of the first says little of it.
        #expect(pace.pause(after: DiscoveryError(.forbidden, "no")) < .milliseconds(400))
        for _ in 0..<100 { #expect(pace.pause(after: DiscoveryError(.forbidden, "no")) <= .seconds(15)) }
        for _ in 0..<100 { #expect(pace.pause(after: DiscoveryError(.untrusted, "no")) <= .seconds(10)) }
        #expect(pace.pause(after: DiscoveryError(.untrusted, "no")) > .seconds(5))
        pace.succeeded()
        #expect(pace.pause(after: away) < .milliseconds(50))
        var busy = DiscoveryError(.refused, "busy")
        busy.retryAfter = .seconds(7)
        #expect(pace.pause(after: busy) == .seconds(7))
    }

    @Test("a cause that stays reads the same each time, whatever libcurl measured")
    func steadyWords() {
        for (said, read) in [
            (
                "Failed to connect to 10.0.0.1 port 6443 after 3 ms: Refused",
                "Failed to connect to 10.0.0.1 port 6443: Refused"
            ),
            (
                "Operation timed out after 15001 milliseconds with 17 out of -1 bytes received",
                "Operation timed out"
            ),
            ("transfer closed with 1234 bytes remaining to read", "transfer closed"),
        ] {
            #expect(KubernetesClient.steady(said) == read)
        }
        #expect(KubernetesClient.steady(String(repeating: "a", count: 1_000)).count == 301)
    }

    @Test(
        "what libcurl ran into is told in words that say what to do",
        arguments: [
            (.tooLarge, "the answer is over 67108864 bytes", "is over 64 MiB: choose a narrower K8S_LABEL_SELECTOR"),
            (
                .timedOut,
                "no whole answer within 15.0 s: Operation timed out after 15001 milliseconds with 17 out of -1 bytes received",
                "cannot be reached: no whole answer within 15 s"
            ),
            (
                // Not by libcurl's words, which are other ones in each version.
                .timedOut, "no whole answer within 15.0 s: took too long",
                "cannot be reached: no whole answer within 15 s"
            ),
            (
                .connectTimedOut, "no connection in time: Operation timed out",
                "cannot be reached: no connection within 2 s: check its address, and NetworkPolicies"
            ),
            (
                .connectFailed, "Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
                "Failed to connect to 127.0.0.1 port 1: Couldn't connect to server: check its address, and NetworkPolicies"
            ),
            (
                .connectFailed, "Could not resolve host: certificates.example",
                "Could not resolve host: certificates.example: check its address, and NetworkPolicies"
            ),
            (.handshakeFailed, "no certificate was asked for", "cannot be reached: no certificate was asked for"),
            (
                .untrusted, "SSL: no alternative subject name matches",
                "no alternative subject name matches: name its certificate-authority in a kubeconfig"
            ),
        ] as [(PodsError.Code, String, String)]
    )
    func explained(code: PodsError.Code, said: String, told: String) {
        var request = CurlRequest(url: "https://10.0.0.1")
        (request.maximumBytes, request.timeout, request.connectTimeout) = (64 << 20, .seconds(15), .seconds(2))
        let access = KubernetesAccess(url: "https://10.0.0.1", origin: "here")
        let message = KubernetesClient.explain(PodsError(code, said), request, access).message
        #expect(message.contains("the API server at https://10.0.0.1") && message.hasSuffix(told), "\(message)")
    }

    @Test(
        "a token goes out in clear to this machine's own addresses and to none that only look like them",
        arguments: [
            ("http://127.0.0.1:8001", true), ("http://127.1.2.3", true), ("http://localhost/k8s", true),
            ("http://LOCALHOST:80", true), ("http://[::1]:8001", true), ("https://k8s.example", true),
            ("http://localhost.example.com", false), ("http://127.0.0.1.example.com", false),
            ("http://127.example", false), ("http://[::1:2]", false), ("http://[::1", false),
            ("http://127.0.0.1@k8s.example", false), ("http://localhost:80@k8s.example/", false),
            ("http://k8s.example/@localhost", false), ("http://k8s.example\\@localhost", false), ("http://", false),
        ]
    )
    func privacy(url: String, isPrivate: Bool) {
        #expect(KubernetesAccess(url: url, origin: "here").isPrivate == isPrivate)
    }

    private static func take(_ feed: LineFeed, _ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { feed.take($0) }
    }

    @Test("lines are whole wherever the bytes are cut; a last one without its end is not told")
    func lines() async throws {
        let text = "{\"a\":1}\n\n\r\n{\"b\":2}\r\nrest"
        for size in 1...text.utf8.count {
            let feed = LineFeed(KubernetesLimits())
            var rest = text[...]
            while !rest.isEmpty {
                #expect(Self.take(feed, String(rest.prefix(size))))
                rest = rest.dropFirst(size)
            }
            feed.end(.failure(PodsError(.transferFailed, "cut")))
            var lines: [String] = []
            for await part in feed.parts {
                if case .line(let line) = part { lines.append(String(decoding: line, as: UTF8.self)) }
            }
            #expect(lines == ["{\"a\":1}", "{\"b\":2}\r"])
        }
    }

    @Test("a line that is too long, and more lines than are read, end the feed")
    func bounds() {
        var limits = KubernetesLimits()
        limits.eventBytes = 8
        limits.waitingBytes = 20
        for text in ["123456789", "123456789\n", "1234\n56789012\n3456789012"] {
            let feed = LineFeed(limits)
            #expect(!Self.take(feed, text))
            #expect(feed.problem?.message.contains("over 8 bytes") == true)
        }
        let feed = LineFeed(limits)
        for _ in 0..<2 { #expect(Self.take(feed, "12345678\n")) }
        #expect(!Self.take(feed, "12345678\n"))
        #expect(feed.problem?.message.contains("more than 20 bytes wait") == true)
        let read = LineFeed(limits)
        for _ in 0..<20 {
            #expect(Self.take(read, "12345678\n"))
            read.wasTaken(Array("12345678".utf8))
        }
    }
}
