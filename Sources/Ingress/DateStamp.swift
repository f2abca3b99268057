import Glibc
import NIOCore

/// The `Date` field line of this second (RFC 9110 §5.6.7), made once a second and event loop.
struct DateStamp {
    private var line = ByteBuffer()
    private var validUntil = NIODeadline.uptimeNanoseconds(0)

    /// Makes the line again where a second has passed.
    mutating func refresh(at now: NIODeadline) {
        guard now >= validUntil || line.readableBytes == 0 else { return }
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        line = Self.line(parts)
        validUntil = now + .seconds(1)
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(line)
    }

    /// `Date: Sun, 06 Nov 1994 08:49:37 GMT`
    static func line(_ parts: tm) -> ByteBuffer {
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let day = "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)])"
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return ByteBuffer(string: "Date: \(day) \(parts.tm_year + 1900) \(clock) GMT\r\n")
    }
}
