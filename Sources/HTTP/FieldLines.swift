import Core
import NIOCore

/// Reads the field lines of a head or of trailers in place as they arrive, each once.
///
/// Strict (RFC 9112 §5): a name is a token with the colon right behind it, a line ends with CRLF and is not folded, a value has no
/// control characters but tabs. A line that cannot become valid is refused before it is whole.
struct FieldLines {
    enum Outcome {
        case incomplete
        /// The empty line was read; ``next`` is behind it.
        case complete
        /// Over the bounds.
        case tooLarge
        case refused(MessageError)
    }

    /// Where the block of lines begins, in bytes from the start of the message at hand.
    private(set) var start: Int
    /// Where the next line begins.
    private(set) var next: Int
    /// Relative to ``start``.
    private(set) var lines: [HeaderFields.Line] = []
    /// What the lines say of framing and connection.
    private(set) var framing = FramingFields()
    /// There is no end of a line between ``next`` and here.
    private var searched: Int

    init(start: Int) {
        self.start = start
        next = start
        searched = start
    }

    /// Reads the lines that are whole.
    /// - Parameter bytes: The message from its start.
    mutating func read(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) -> Outcome {
        guard let base = bytes.baseAddress else { return .incomplete }
        let (count, table) = (bytes.count, ByteClass.table)
        if searched > next {
            // Only what is new can end the line of which the beginning was looked at before.
            guard bytes.firstIndex(of: UInt8(ascii: "\n"), from: searched) != nil else { return stop(count, limits) }
        } else if lines.isEmpty {
            lines.reserveCapacity(16)
        }
        while true {
            var index = next
            while index < count, table[Int(bytes[index])] & ByteClass.token != 0 { index += 1 }
            guard index < count else { return stop(count, limits) }
            guard index > next, bytes[index] == UInt8(ascii: ":") else {
                guard index == next, bytes[index] == UInt8(ascii: "\r") else {
                    return .refused(MessageError("a field line without a valid name"))
                }
                guard index + 1 < count else { return stop(count, limits) }
                guard bytes[index + 1] == UInt8(ascii: "\n") else { return .refused(MessageError("a CR without a LF")) }
                next = index + 2
                return next <= limits.headBytes ? .complete : .tooLarge
            }
            let nameLength = index - next
            index += 1
            while index < count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
            let valueStart = index
            index = base.firstControl(from: index, to: count)
            guard index + 1 < count else {
                if index < count, bytes[index] != UInt8(ascii: "\r") { return .refused(.controlInField) }
                return stop(count, limits)
            }
            guard bytes[index] == UInt8(ascii: "\r"), bytes[index + 1] == UInt8(ascii: "\n") else {
                return .refused(.controlInField)
            }
            var valueEnd = index
            while valueEnd > valueStart, bytes[valueEnd - 1] == 0x20 || bytes[valueEnd - 1] == 0x09 { valueEnd -= 1 }
            guard lines.count < limits.fieldLines else { return .tooLarge }
            lines.append(
                HeaderFields.Line(
                    nameStart: next - start,
                    nameLength: nameLength,
                    valueStart: valueStart - start,
                    valueLength: valueEnd - valueStart
                )
            )
            framing.take(
                name: UnsafeRawBufferPointer(start: base + next, count: nameLength),
                value: UnsafeRawBufferPointer(start: base + valueStart, count: valueEnd - valueStart)
            )
            if valueEnd < index {
                framing.take(
                    behind: UnsafeRawBufferPointer(start: base + valueEnd, count: index - valueEnd),
                    name: UnsafeRawBufferPointer(start: base + next, count: nameLength)
                )
            }
            next = index + 2
            searched = next
        }
    }

    /// The lines that were read, in the slice of `buffer` that they are in.
    /// - Parameter messageStart: Where the message starts in `buffer`.
    func fields(in buffer: ByteBuffer, messageStart: Int) -> HeaderFields {
        // Without the empty line.
        let block = buffer.getSlice(at: messageStart + start, length: next - 2 - start)!
        return HeaderFields(adopting: block, lines: lines)
    }

    private mutating func stop(_ count: Int, _ limits: MessageLimits) -> Outcome {
        searched = count
        return count <= limits.headBytes ? .incomplete : .tooLarge
    }
}

extension MessageError {
    static func headTooLarge(_ limits: MessageLimits) -> MessageError {
        MessageError(
            status: 431,
            "the head is larger than \(limits.headBytes) bytes, or has more than \(limits.fieldLines) fields"
        )
    }

    static func trailersTooLarge(_ limits: MessageLimits) -> MessageError {
        MessageError(
            status: 431,
            "head and trailers are larger than \(limits.headBytes) bytes, or have more than \(limits.fieldLines) fields"
        )
    }

    static let controlInField = MessageError("a control character in a field")
}
