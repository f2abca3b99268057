import Core
import NIOCore

/// What a simulated task is asked to do, by its query: `?ms=50&bytes=1000000`.
struct TaskOptions: Equatable {
    /// How a task misbehaves.
    enum Failure: String, CaseIterable {
        /// The connection is reset instead of an answer.
        case reset
        /// The connection is closed instead of an answer.
        case close
        /// No answer comes at all, until the client leaves.
        case stall
        /// Half of the answer comes, then the connection is closed.
        case cut
        /// Half of the answer comes, then nothing until the client leaves.
        case hang
        /// What comes is no HTTP.
        case garbage
        /// The answer comes in ten pieces, `interval_ms` apart.
        case slow
    }

    /// `ms`: how long the task takes before it answers; nil for the pod's own default.
    var duration: TimeAmount?
    /// `bytes`: the size of the answer's body, in place of the report in JSON.
    var bytes: Int?
    /// `events`: how many server-sent events the answer has.
    var events: Int?
    /// `interval_ms`: between two events, or two pieces of a slow answer.
    var interval: TimeAmount = .milliseconds(20)
    var status = 200
    /// `chunked`: that the body's length is not told before.
    var isChunked = false
    /// `trailer`: a field `Neutrino-Pod-Trailer` after a chunked body.
    var hasTrailer = false
    var failure: Failure?
    /// `fail_on`: the name of the only pod on which the failure happens.
    var failsOn: String?

    /// Reads the query of a target. Names that are not known are left to the application that is simulated.
    /// - Throws: ``TaskOptionError`` in words.
    static func read(_ target: ByteBuffer) throws(TaskOptionError) -> TaskOptions {
        var options = TaskOptions()
        let bytes = target.readableBytesView
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else { return options }
        for pair in bytes[bytes.index(after: mark)...].split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = String(decoding: pair[..<equals], as: UTF8.self)
            let value = equals < pair.endIndex ? String(decoding: pair[(equals + 1)...], as: UTF8.self) : ""
            try options.take(name, value)
        }
        return options
    }

    private mutating func take(_ name: String, _ value: String) throws(TaskOptionError) {
        switch name {
        case "ms": duration = try Self.milliseconds(name, value)
        case "interval_ms": interval = try Self.milliseconds(name, value)
        case "bytes": bytes = try Self.number(name, value, 0...(1 << 40))
        case "events": events = try Self.number(name, value, 0...1_000_000_000)
        case "status": status = try Self.number(name, value, 200...999)
        case "chunked": isChunked = try Self.flag(name, value)
        case "trailer": hasTrailer = try Self.flag(name, value)
        case "fail":
            guard let failure = Failure(rawValue: value) else {
                let accepted = Failure.allCases.map(\.rawValue).joined(separator: ", ")
                throw TaskOptionError("fail=\(value) is not accepted; one of \(accepted) is")
            }
            self.failure = failure
        case "fail_on": failsOn = value
        default: break
        }
    }

    private static func number(
        _ name: String,
        _ value: String,
        _ range: ClosedRange<Int>
    ) throws(TaskOptionError) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw TaskOptionError(
                "\(name)=\(value) is not accepted; a number from \(range.lowerBound) to \(range.upperBound) is"
            )
        }
        return number
    }

    /// Fractions allowed, up to a day.
    static func milliseconds(_ name: String, _ value: String) throws(TaskOptionError) -> TimeAmount {
        guard let number = Double(value), number >= 0, number <= 86_400_000 else {
            throw TaskOptionError("\(name)=\(value) is not accepted; milliseconds from 0 to 86400000 are")
        }
        return .nanoseconds(Int64(number * 1_000_000))
    }

    private static func flag(_ name: String, _ value: String) throws(TaskOptionError) -> Bool {
        guard ["", "0", "1"].contains(value) else {
            throw TaskOptionError("\(name)=\(value) is not accepted; 0 and 1 are")
        }
        return value != "0"
    }

    /// The duration that a body like `{"ms":50}` states: the number behind the first `"ms":` of a small body; nil without one. It is not
    /// parsed as a whole, which would cost more than the rest of the request.
    static func duration(inBody body: ByteBuffer) -> TimeAmount? {
        body.withUnsafeReadableBytes { bytes in
            let key: StaticString = "\"ms\""
            var index = 0
            while index + 5 < bytes.count {
                guard bytes[index] == UInt8(ascii: "\""), bytes[index + 1] == UInt8(ascii: "m"),
                    UnsafeRawBufferPointer(rebasing: bytes[index..<(index + 4)]).equalsIgnoringCase(key)
                else {
                    index += 1
                    continue
                }
                let rest = bytes[(index + 4)...].drop { $0 == 0x20 || $0 == UInt8(ascii: ":") }
                let digits = rest.prefix { ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: ".") }
                return try? milliseconds("ms", String(decoding: digits, as: UTF8.self))
            }
            return nil
        }
    }
}

/// Why a task's query is not accepted.
struct TaskOptionError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
