import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Gateway

/// Collects what a log writes.
final class Written: Sendable {
    private let bytes = NIOLockedValueBox<[UInt8]>([])

    @Sendable func write(_ more: [UInt8]) { bytes.withLockedValue { $0 += more } }

    var text: String { String(decoding: bytes.withLockedValue { $0 }, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n").map(String.init) }
}

private func output(_ format: LogFormat, level: Logger.Level = .info, _ written: Written) -> LogOutput {
    LogOutput(format: format, level: level, clock: { LogTime(milliseconds: 1_700_000_000_123) }, write: written.write)
}

@Suite("Log lines")
struct LogLineTests {
    @Test("An event is one line of text: time, level, logger, sentence, facts")
    func text() {
        let written = Written()
        let output = output(.text, written)
        output.logger("gateway").notice(
            "pod changed",
            metadata: ["pod": "http://a:1", "state": "half open", "n": "\(3)", "none": ""]
        )
        output.flush()
        #expect(
            written.text
                == "2023-11-14T22:13:20.123Z notice gateway: pod changed n=3 none=\"\" pod=http://a:1 state=\"half open\"\n"
        )
    }

    @Test("An event is one JSON object on a line")
    func json() {
        let written = Written()
        let output = output(.json, written)
        output.logger("gateway").error("bad", metadata: ["level": "x", "list": ["a", "b\n"], "map": ["k": "v"]])
        output.flush()
        #expect(
            written.text
                == #"{"time":"2023-11-14T22:13:20.123Z","level":"error","logger":"gateway","message":"bad","_level":"x","list":["a","b\n"],"map":{"k":"v"}}"#
                + "\n"
        )
    }

    @Test("What is logged as a number or a truth value is one in JSON")
    func numbers() {
        let written = Written()
        let output = output(.json, written)
        output.logger("a").info(
            "b",
            metadata: [
                "int": .stringConvertible(3), "ms": .stringConvertible(1.5), "whole": .stringConvertible(true),
                "none": .stringConvertible(Double.nan),
            ]
        )
        output.flush()
        #expect(written.text.hasSuffix(#""int":3,"ms":1.5,"none":"nan","whole":true}"# + "\n"))
    }

    @Test("Nothing that a client sends ends a line or reaches a terminal", arguments: LogFormat.allCases)
    func hostile(_ format: LogFormat) {
        let written = Written()
        let output = output(format, written)
        let hostile = "/a\r\n2023 error fake: x=\"1\" \u{1B}[2J\u{9B}31m\u{2028}\u{202E}\u{0}\u{7F}\\"
        output.logger("ingress").info("request \(hostile)", metadata: ["target": "\(hostile)", "k e=y\n": "v"])
        output.flush()
        #expect(written.lines.count == 1)
        #expect(
            written.text.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
        )
        #expect(!written.text.unicodeScalars.contains { [0x2028, 0x202E].contains($0.value) })
        if format == .text { #expect(written.text.contains(#"target="/a\r\n2023 error fake: x=\"1\" \u{1b}[2J"#)) }
    }

    @Test("A value of any length is cut")
    func long() {
        let written = Written()
        let output = output(.text, written)
        output.logger("x").info("m", metadata: ["v": "\(String(repeating: "a", count: 100_000))"])
        output.flush()
        #expect(written.text.utf8.count < 2200)
        #expect(written.text.hasSuffix("a…\n"))
    }

    @Test("The level changes for all loggers at once, but for those with one of their own")
    func level() {
        let written = Written()
        let output = output(.text, level: .warning, written)
        let logger = output.logger("a")
        var own = output.logger("b")
        own.logLevel = .trace
        logger.info("1")
        own.trace("2")
        output.level = .debug
        logger.debug("3")
        output.level = .error
        logger.warning("4")
        output.flush()
        #expect(written.lines.map { $0.last } == ["2", "3"])
    }

    @Test("Errors and loggers' own metadata are facts too")
    func metadata() {
        let written = Written()
        let output = output(.text, written)
        var logger = output.logger("a")
        logger[metadataKey: "pod"] = "p"
        logger.info("m", metadata: ["pod": "q", "x": "y"])
        logger.info("n")
        output.flush()
        #expect(written.lines.map { $0.split(separator: ": ")[1] } == ["m pod=q x=y", "n pod=p"])
    }

    @Test("Lines that nobody takes are dropped and counted, and logging never waits")
    func dropped() {
        let gate = NIOLockedValueBox(())
        let written = Written()
        let stream = LogStream(
            droppedLine: { "dropped \($0)\n" },
            write: { bytes in
                gate.withLockedValue { _ in }
                written.write(bytes)
            }
        )
        let line = String(repeating: "x", count: 1023) + "\n"
        let extra = 10
        gate.withLockedValue { _ in
            // Up to one buffer may already be with the blocked writer.
            for _ in 0..<(2 * LogStream.maximumBytes / 1024 + extra) { stream.append(line) }
        }
        stream.flush()
        let lines = written.lines
        let dropped = lines.compactMap { $0.hasPrefix("dropped ") ? Int($0.dropFirst(8)) : nil }.reduce(0, +)
        #expect(dropped >= extra)
        #expect(lines.count(where: { $0.hasPrefix("x") }) + dropped == 2 * LogStream.maximumBytes / 1024 + extra)
    }

    @Test(
        "Times are written as RFC 3339",
        arguments: [
            (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ]
    )
    func time(_ milliseconds: Int64, _ text: String) {
        #expect(LogTime(milliseconds: milliseconds).description == text)
    }
}
