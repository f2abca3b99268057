import Core
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Queue
import Testing

@testable import Ingress

@Suite("Small parts of the ingress")
struct SmallPartsTests {
    @Test(
        "Prefer: wait=N is read as RFC 7240 writes it",
        arguments: [
            ("wait=10", 10), ("respond-async, Wait=10", 10), ("wait=\"5\"", 5), ("wait=3;x=1", 3),
            ("wait=1, wait=2", 1),
            ("wait=", nil), ("wait=-1", nil), ("wait=1.5", nil), ("waiting=3", nil), ("wait=12345678901", nil),
            ("wait=0", 0),
        ] as [(String, Int?)]
    )
    func preferences(_ value: String, _ wait: Int?) {
        #expect(RequestSigns(HeaderFields([("Prefer", value)])).wait == wait)
    }

    @Test("The date is written as HTTP wants it")
    func date() {
        var seconds: time_t = 784_111_777
        var parts = tm()
        gmtime_r(&seconds, &parts)
        #expect(String(buffer: DateStamp.line(parts)) == "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
    }

    @Test("Milliseconds have three digits after the point")
    func milliseconds() {
        func text(_ time: TimeAmount) -> String {
            var buffer = ByteBuffer()
            buffer.writeMilliseconds(time)
            return String(buffer: buffer)
        }
        #expect(text(.nanoseconds(999)) == "0.000")
        #expect(text(.microseconds(7)) == "0.007")
        #expect(text(.microseconds(12_045)) == "12.045")
        #expect(text(.seconds(-1)) == "0.000")
    }

    @Test("A small body does not keep a large read buffer alive")
    func bodyMemory() throws {
        var collector = BodyCollector(expected: 3, limit: 100, threshold: 50)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(65_536)
        buffer.writeString("abc")
        guard case .readOn = collector.take(buffer) else { throw Unexpected() }
        let rest = collector.rest()
        #expect(String(buffer: rest) == "abc")
        #expect(rest.storageCapacity < 1024)
    }

    @Test("A body goes to its file in portions of the threshold, and its rest at the end")
    func bodyPortions() throws {
        var collector = BodyCollector(expected: nil, limit: 25, threshold: 10)
        var stored: [Int] = []
        for _ in 0..<5 {
            switch collector.take(ByteBuffer(string: "abcd")) {
            case .readOn: stored.append(0)
            case .store(let part): stored.append(part.readableBytes)
            case .tooLarge: throw Unexpected()
            }
        }
        #expect(stored == [0, 0, 12, 0, 0])
        guard case .tooLarge = collector.take(ByteBuffer(string: "abcdef")) else { throw Unexpected() }
        #expect(collector.isStored)
    }

    struct Unexpected: Error {}
}

@Suite("The access log", .timeLimit(.minutes(1)))
struct AccessLogTests {
    private func lines(
        _ mode: AccessLogMode,
        _ paths: [String],
        redaction: Redaction = Redaction()
    ) async throws -> [String] {
        let lines = Watched<[String]>([])
        var parts = try IngressParts(
            intake: FakeIntake { call in
                let target = String(buffer: call.request.target)
                call.answer(target.hasPrefix("/500") ? 500 : 200, [], "ok")
            }
        )
        parts.configuration.accessLog = mode
        parts.configuration.redaction = redaction
        parts.logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            for path in paths {
                try await client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = await client.answer()
            }
        }
        return lines.now.filter { $0.contains("request answered") }
    }

    @Test(
        "Each mode logs what it says",
        arguments: [
            (.off, []), (.errors, ["/500"]), (.all, ["/1", "/500", "/2", "/3", "/4"]), (.sample(2), ["/500", "/3"]),
        ] as [(AccessLogMode, [String])]
    )
    func modes(_ mode: AccessLogMode, _ expected: [String]) async throws {
        let lines = try await lines(mode, ["/1", "/500", "/2", "/3", "/4"])
        let targets = lines.map { line in
            String(line.split(separator: " ").first { $0.hasPrefix("target=") }!.dropFirst(7))
        }
        #expect(targets == (mode == .sample(2) ? ["/500", "/3"] : expected))
    }

    @Test("What is not to be written to the database is not in a line either")
    func redacted() async throws {
        let lines = try await lines(
            .all,
            ["/a?key=s3cret&x=1"],
            redaction: Redaction(queryParameters: ["key"])
        )
        #expect(lines.count == 1)
        #expect(lines.first?.contains("target=/a?key=***&x=1 ") == true)
    }

    @Test("A line tells of one answer, and clients' bytes cannot break it")
    func line() async throws {
        let line = try #require(try await lines(.all, ["/a\"b\\?q=%0a"]).first)
        for part in [
            "status=200", "method=GET", "target=/a\\x22b\\x5c?q=%0a", "client=127.0.0.1", "bytes=2", "route=default",
            "request.id=\(FakeCall.id)", "whole=true", "pod=pod-1", "hold_ms=1.5", "upstream_ms=12.0",
        ] {
            #expect(line.contains(part), "\(part) in \(line)")
        }
        #expect(AccessLog.escaped("a\r\nb\u{1b}é".utf8) == "a\\x0d\\x0ab\\x1b\\xc3\\xa9")
    }
}

/// Keeps what is logged, as text.
struct LineHandler: LogHandler {
    let lines: Watched<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: Logging.LogEvent) {
        let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.update { $0.append("\(event.message) " + facts.joined(separator: " ")) }
    }
}
