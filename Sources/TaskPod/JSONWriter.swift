import Core
import NIOCore

/// Writes the small JSON answers of a pod into a buffer, without Foundation: they are on a benchmark's path.
struct JSONWriter {
    private(set) var buffer: ByteBuffer
    private var needsComma = false

    init(capacity: Int = 512) {
        buffer = ByteBuffer()
        buffer.reserveCapacity(capacity)
    }

    static func object(capacity: Int = 512, _ write: (inout JSONWriter) -> Void) -> ByteBuffer {
        var writer = JSONWriter(capacity: capacity)
        writer.object(write)
        return writer.buffer
    }

    mutating func object(_ write: (inout JSONWriter) -> Void) { enclosed("{", "}", write) }

    mutating func list(_ write: (inout JSONWriter) -> Void) { enclosed("[", "]", write) }

    /// A member's name; its value is written next.
    mutating func key(_ name: String) {
        string(name)
        buffer.writeStaticString(":")
        needsComma = false
    }

    mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: String, _ value: Int) {
        key(name)
        number("\(value)")
    }

    mutating func member(_ name: String, _ value: UInt64) {
        key(name)
        number("\(value)")
    }

    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        number(value ? "true" : "false")
    }

    /// Text that is already a JSON number or word.
    mutating func number(_ text: String) {
        comma()
        buffer.writeString(text)
    }

    mutating func member(_ name: String, decimal thousandths: Int64) {
        key(name)
        number(ResourceVector.decimal(thousandths))
    }

    /// `{"cpus":8,"gpus":2,"memory_gb":32}`
    mutating func member(_ name: String, _ resources: ResourceVector) {
        key(name)
        object { json in
            for dimension in ResourceDimension.allCases {
                json.member(dimension.rawValue, decimal: resources[dimension])
            }
        }
    }

    /// A string, with what RFC 8259 §7 wants escaped.
    mutating func string(_ value: String) {
        comma()
        buffer.writeStaticString("\"")
        var value = value
        let isPlain = value.withUTF8 { bytes in
            bytes.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        if isPlain {
            buffer.writeString(value)
        } else {
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
                case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
                case 0..<0x20: buffer.writeString("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))")
                default: buffer.writeInteger(byte)
                }
            }
        }
        buffer.writeStaticString("\"")
    }

    private mutating func enclosed(_ open: StaticString, _ close: StaticString, _ write: (inout JSONWriter) -> Void) {
        comma()
        buffer.writeStaticString(open)
        needsComma = false
        write(&self)
        buffer.writeStaticString(close)
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { buffer.writeStaticString(",") }
        needsComma = true
    }
}
