import Core
import Logging
import NIOCore

/// Writes one line at the end of an answer, where `ACCESS_LOG` wants it. One for each event loop.
struct AccessLog {
    /// One answered request, or one that was left unanswered.
    struct Entry {
        /// nil where what came was no request.
        var head: RequestHead?
        var routeID: String?
        /// What the client was sent; nil where nothing was.
        var status: Int?
        /// Of the gateway's own answers.
        var reason: String?
        var requestID: RequestID?
        /// Whose answer it is.
        var podID: String?
        var bodyBytes: Int
        /// From the commit to the dispatch, or to the end without one.
        var hold: TimeAmount?
        /// From the dispatch to the pod's head.
        var upstream: TimeAmount?
        /// From the head to the end of the answer.
        var duration: TimeAmount
        var clientAddress: String
        /// Whether the client got all of the answer.
        var isWhole: Bool

        var isError: Bool { !isWhole || reason != nil || (status ?? 500) >= 500 }
    }

    private let mode: AccessLogMode
    private let redaction: Redaction
    private let logger: Logger
    private var count = 0

    init(mode: AccessLogMode, redaction: Redaction = Redaction(), logger: Logger) {
        self.mode = mode
        self.redaction = redaction
        self.logger = logger
    }

    /// Logs an entry; it is not even made where the log is off.
    mutating func log(_ entry: () -> Entry) {
        switch mode {
        case .off:
            return
        case .errors:
            let entry = entry()
            if entry.isError { write(entry) }
        case .sample(let every):
            let entry = entry()
            count += 1
            if count >= every {
                count = 0
                write(entry)
            } else if entry.isError {
                write(entry)
            }
        case .all:
            write(entry())
        }
    }

    private func write(_ entry: Entry) {
        var metadata: Logger.Metadata = [
            "client": "\(Self.escaped(entry.clientAddress.utf8))",
            "bytes": .stringConvertible(entry.bodyBytes),
            "duration_ms": .stringConvertible(Self.milliseconds(entry.duration)),
            "whole": .stringConvertible(entry.isWhole),
        ]
        if let head = entry.head {
            metadata["method"] = "\(head.method.rawValue)"
            metadata["target"] = "\(Self.escaped(redaction.redactQuery(head.target).readableBytesView))"
            metadata["version"] = head.version == .http11 ? "1.1" : "1.0"
        }
        if let routeID = entry.routeID { metadata["route"] = "\(routeID)" }
        if let status = entry.status { metadata["status"] = .stringConvertible(status) }
        if let reason = entry.reason { metadata["reason"] = "\(reason)" }
        if let requestID = entry.requestID { metadata["request.id"] = "\(requestID)" }
        if let podID = entry.podID { metadata["pod"] = "\(podID)" }
        if let hold = entry.hold { metadata["hold_ms"] = .stringConvertible(Self.milliseconds(hold)) }
        if let upstream = entry.upstream { metadata["upstream_ms"] = .stringConvertible(Self.milliseconds(upstream)) }
        logger.info("request answered", metadata: metadata)
    }

    /// With three decimals, as in `Server-Timing`.
    private static func milliseconds(_ time: TimeAmount) -> Double { Double(time.nanoseconds / 1_000) / 1_000 }

    /// Bytes from a client as text that cannot break or fake a line: what is not printable ASCII, and `"` and `\`, as `\xNN`.
    static func escaped(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                text.append(byte)
            } else {
                text += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
