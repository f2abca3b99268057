import NIOCore

/// Messages of the domain name system as far as finding pods takes (RFC 1035 §4, RFC 3596, RFC 2782).
enum DNSMessage {
    enum RecordType: UInt16, Sendable {
        case address = 1
        case alias = 5
        case address6 = 28
        case service = 33
    }

    /// What a record says.
    enum Content: Equatable, Sendable {
        /// As text.
        case address(String)
        case alias(String)
        case service(port: Int, target: String)
    }

    struct Record: Equatable, Sendable {
        /// In lower case, without the dot at its end.
        var name: String
        /// Seconds.
        var lifetime: Int
        var content: Content
    }

    struct Answer: Equatable, Sendable {
        var isTruncated: Bool
        /// It is the answer, by its id and its question, and what follows cannot be read: there are no records then.
        var isBroken = false
        /// RFC 1035 §4.1.1: 0 for no error, 2 for a failure of the server, 3 for a name that does not exist.
        var code: Int
        /// Those of the types above, of the answer and of what was added to it.
        var records: [Record]
        /// How long it may be remembered that there is nothing, in seconds (RFC 2308 §5); nil where it is not said.
        var negativeLifetime: Int?
    }

    /// Records that are read of one message; others after them are left.
    private static let maximumRecords = 4096

    /// A question, recursion desired; nil where the name is none.
    /// - Parameter datagramBytes: The largest datagram that an answer may be, told by an OPT record (RFC 6891 §6.1.2); nil for the 512 of old.
    static func question(_ name: String, _ type: RecordType, id: UInt16, datagramBytes: UInt16? = nil) -> ByteBuffer? {
        var bytes = ByteBuffer()
        let additional: UInt16 = datagramBytes == nil ? 0 : 1
        bytes.writeMultipleIntegers(id, UInt16(0x0100), UInt16(1), UInt16(0), UInt16(0), additional)
        var length = 1
        for label in (name.hasSuffix(".") ? name.dropLast() : name[...]).split(
            separator: ".",
            omittingEmptySubsequences: false
        ) {
            guard (1...63).contains(label.utf8.count) else { return nil }
            length += 1 + label.utf8.count
            bytes.writeInteger(UInt8(label.utf8.count))
            bytes.writeString(String(label))
        }
        guard length <= 255 else { return nil }
        bytes.writeMultipleIntegers(UInt8(0), type.rawValue, UInt16(1))
        if let datagramBytes {
            // The root as its name, version 0, no flags, no options.
            bytes.writeMultipleIntegers(UInt8(0), UInt16(41), datagramBytes, UInt32(0), UInt16(0))
        }
        return bytes
    }

    /// Reads the answer to a question; nil for what is none to it.
    static func answer(_ bytes: ByteBuffer, to question: ByteBuffer) -> Answer? {
        var reader = Reader(bytes: bytes)
        guard let id = reader.number(), id == question.getInteger(at: question.readerIndex, as: UInt16.self),
            let flags = reader.number(), flags & 0x8000 != 0, let questions = reader.number(),
            let answers = reader.number(), let authorities = reader.number(), let additional = reader.number()
        else { return nil }
        // Who cannot read a question cannot repeat it.
        if questions == 0, flags & 0xF == 1 { return Answer(isTruncated: false, code: 1, records: []) }
        guard questions == 1 else { return nil }
        // The question must be repeated: who guesses ids does not know it.
        let asked = Reader.question(in: question)
        guard let name = reader.name(), let type = reader.number(), let kind = reader.number(),
            asked?.name == name, asked?.type == type, kind == 1
        else { return nil }
        var answer = Answer(isTruncated: flags & 0x0200 != 0, code: Int(flags & 0xF), records: [])
        // What was cut off is asked for again anyway.
        if answer.isTruncated { return answer }
        let count = min(Int(answers) + Int(authorities) + Int(additional), maximumRecords)
        for _ in 0..<count {
            guard let record = reader.record() else {
                return Answer(isTruncated: false, isBroken: true, code: answer.code, records: [])
            }
            switch record {
            case .known(let record): answer.records.append(record)
            case .authority(let lifetime): answer.negativeLifetime = lifetime
            case .other: break
            }
        }
        return answer
    }

    /// Reads a message from its first byte on.
    private struct Reader {
        enum Found {
            case known(Record)
            /// A zone's SOA: how long its silence may be remembered.
            case authority(Int)
            case other
        }

        let bytes: ByteBuffer
        private var index: Int

        init(bytes: ByteBuffer) {
            self.bytes = bytes.slice()
            index = 0
        }

        static func question(in bytes: ByteBuffer) -> (name: String, type: UInt16)? {
            var reader = Reader(bytes: bytes)
            reader.index = 12
            guard let name = reader.name(), let type = reader.number() else { return nil }
            return (name, type)
        }

        mutating func number() -> UInt16? {
            defer { index += 2 }
            return bytes.getInteger(at: index)
        }

        /// Labels, and pointers to earlier ones (RFC 1035 §4.1.4).
        mutating func name() -> String? {
            var labels: [String] = []
            var place = index
            var end: Int?
            var length = 0
            while true {
                guard let first: UInt8 = bytes.getInteger(at: place) else { return nil }
                switch first {
                case 0:
                    index = end ?? place + 1
                    return labels.joined(separator: ".")
                case 1...63:
                    guard let label = bytes.getString(at: place + 1, length: Int(first)) else { return nil }
                    length += label.utf8.count + 1
                    guard length <= 255 else { return nil }
                    labels.append(label.lowercased())
                    place += 1 + Int(first)
                case 0xC0...:
                    guard let pointer: UInt16 = bytes.getInteger(at: place) else { return nil }
                    if end == nil { end = place + 2 }
                    let target = Int(pointer & 0x3FFF)
                    // Only backwards. That alone does not end a label with a pointer to itself behind it: the bound on names does.
                    guard target < place else { return nil }
                    place = target
                default: return nil
                }
            }
        }

        mutating func record() -> Found? {
            guard let name = name(), let type = number(), let kind = number(), let high = number(), let low = number(),
                let length = number()
            else { return nil }
            let start = index
            let end = start + Int(length)
            guard end <= bytes.writerIndex else { return nil }
            defer { index = end }
            // A lifetime with its first bit set counts as 0 (RFC 2181 §8).
            let lifetime = high & 0x8000 == 0 ? Int(high) << 16 | Int(low) : 0
            guard kind == 1 else { return .other }
            if type == 6 { return .authority(min(lifetime, minimum(endingAt: end) ?? lifetime)) }
            let content: Content
            switch RecordType(rawValue: type) {
            case .address:
                guard length == 4, let text = text(4) else { return nil }
                content = .address(text)
            case .address6:
                guard length == 16, let text = text(16) else { return nil }
                content = .address(text)
            case .alias:
                guard let target = self.name() else { return nil }
                content = .alias(target)
            case .service:
                guard number() != nil, number() != nil, let port = number(), let target = self.name() else {
                    return nil
                }
                content = .service(port: Int(port), target: target)
            case nil: return .other
            }
            return .known(Record(name: name, lifetime: lifetime, content: content))
        }

        /// The last of a SOA's five numbers (RFC 2308 §4).
        private func minimum(endingAt end: Int) -> Int? {
            bytes.getInteger(at: end - 4, as: UInt32.self).map { Int($0 & 0x7FFF_FFFF) }
        }

        private func text(_ length: Int) -> String? {
            guard let slice = bytes.getSlice(at: index, length: length) else { return nil }
            return try? SocketAddress(packedIPAddress: slice, port: 0).ipAddress
        }
    }
}
