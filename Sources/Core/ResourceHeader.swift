package import NIOCore

/// Resources as a field value: `cpus=1, gpus=0.5, memory_gb=16`, a dictionary of structured fields (RFC 9651 §3.2). `Neutrino-Resources`
/// tells a pod what a request needs; `Neutrino-Capacity` tells the gateway what a pod has free.
package enum ResourceHeader {
    /// What a request needs; the gateway to a pod.
    package static let resources: StaticString = "Neutrino-Resources"
    /// What is free; a pod to the gateway, on any answer.
    package static let capacity: StaticString = "Neutrino-Capacity"

    /// Longer values are refused.
    package static let maximumBytes = 1024

    /// Writes the value, without allocating.
    /// - Precondition: No component is negative.
    package static func write(_ resources: ResourceVector, into buffer: inout ByteBuffer) {
        buffer.writeText("cpus=")
        buffer.writeThousandths(resources.cpus)
        buffer.writeText(", gpus=")
        buffer.writeThousandths(resources.gpus)
        buffer.writeText(", memory_gb=")
        buffer.writeThousandths(resources.memory)
    }

    /// Reads all lines of a field as one dictionary. What is not named is 0; members of other names are passed over.
    /// - Returns: nil where there is no such line, none of the three is named, or anything in it is not as it should be:
    ///   negative, over ``ResourceVector/maximumUnits``, no number, not a dictionary.
    package static func read(_ name: StaticString, from fields: HeaderFields) -> ResourceVector? {
        var found = Found()
        var isValid = true
        fields.forEach { lineName, value in
            guard isValid, lineName.equalsIgnoringCase(name) else { return }
            isValid = found.read(value)
        }
        return isValid ? found.vector : nil
    }

    /// Reads one value; see ``read(_:from:)``.
    package static func read(_ value: UnsafeRawBufferPointer) -> ResourceVector? {
        var found = Found()
        return found.read(value) ? found.vector : nil
    }

    private struct Found {
        private var resources = ResourceVector.zero
        private var isNamed = false

        var vector: ResourceVector? { isNamed ? resources : nil }

        mutating func read(_ value: UnsafeRawBufferPointer) -> Bool {
            guard value.count <= ResourceHeader.maximumBytes else { return false }
            var reader = DictionaryReader(bytes: value)
            return reader.forEachMember { key, item in
                // A key that comes again replaces what it said before (RFC 9651 §4.2.2).
                if key.equalsIgnoringCase("cpus") {
                    return set(\.cpus, item)
                } else if key.equalsIgnoringCase("gpus") {
                    return set(\.gpus, item)
                } else if key.equalsIgnoringCase("memory_gb") {
                    return set(\.memory, item)
                }
                return true
            }
        }

        private mutating func set(
            _ component: WritableKeyPath<ResourceVector, Int64>,
            _ item: DictionaryReader.Item
        ) -> Bool {
            guard case .thousandths(let amount) = item, amount >= 0, amount <= Int64(ResourceVector.maximumUnits) * 1000
            else { return false }
            resources[keyPath: component] = amount
            isNamed = true
            return true
        }
    }
}

/// Reads a dictionary of structured fields (RFC 9651 §4.2.2), as far as resources need it: members whose items are numbers,
/// tokens, strings or booleans, with parameters, which are passed over. No inner lists, byte sequences, dates or display strings.
private struct DictionaryReader {
    enum Item {
        case thousandths(Int64)
        case other
    }

    let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// - Returns: Whether all of it is valid and `body` always returned true.
    mutating func forEachMember(_ body: (_ key: UnsafeRawBufferPointer, _ item: Item) -> Bool) -> Bool {
        skip { $0 == 0x20 }
        guard index < bytes.count else { return true }
        while true {
            guard let key = readKey() else { return false }
            var item = Item.other
            if take(UInt8(ascii: "=")) {
                guard let read = readItem() else { return false }
                item = read
            }
            guard skipParameters(), body(key, item) else { return false }
            skip { $0 == 0x20 || $0 == 0x09 }
            guard index < bytes.count else { return true }
            guard take(UInt8(ascii: ",")) else { return false }
            skip { $0 == 0x20 || $0 == 0x09 }
        }
    }

    private mutating func readKey() -> UnsafeRawBufferPointer? {
        let start = index
        guard let first = next, Self.isLowercase(first) || first == UInt8(ascii: "*") else { return nil }
        skip { Self.isLowercase($0) || Self.isDigit($0) || "_-.*".utf8.contains($0) }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<index])
    }

    private mutating func readItem() -> Item? {
        guard let first = next else { return nil }
        if first == UInt8(ascii: "-") || Self.isDigit(first) { return readNumber() }
        if first == UInt8(ascii: "\"") { return skipString() ? .other : nil }
        if take(UInt8(ascii: "?")) { return take(UInt8(ascii: "0")) || take(UInt8(ascii: "1")) ? .other : nil }
        guard Self.isLowercase(first | 0x20) || first == UInt8(ascii: "*") else { return nil }
        skip {
            Self.isLowercase($0 | 0x20) || Self.isDigit($0) || "!#$%&'*+-.^_`|~:/".utf8.contains($0)
        }
        return .other
    }

    /// At most 15 digits, or 12, a point and 1 to 3 (RFC 9651 §4.2.4): exact in thousandths.
    private mutating func readNumber() -> Item? {
        let isNegative = take(UInt8(ascii: "-"))
        var (value, digits) = (Int64(0), 0)
        while let byte = next, Self.isDigit(byte) {
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            digits += 1
            index += 1
            guard digits <= 15 else { return nil }
        }
        guard digits > 0 else { return nil }
        var fraction = 0
        if take(UInt8(ascii: ".")) {
            guard digits <= 12 else { return nil }
            while let byte = next, Self.isDigit(byte) {
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
                fraction += 1
                index += 1
                guard fraction <= 3 else { return nil }
            }
            guard fraction > 0 else { return nil }
        }
        for _ in fraction..<3 { value *= 10 }
        return .thousandths(isNegative ? -value : value)
    }

    private mutating func skipString() -> Bool {
        index += 1
        while let byte = next {
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") {
                guard take(UInt8(ascii: "\"")) || take(UInt8(ascii: "\\")) else { return false }
            } else if !(0x20...0x7E).contains(byte) {
                return false
            }
        }
        return false
    }

    private mutating func skipParameters() -> Bool {
        while take(UInt8(ascii: ";")) {
            skip { $0 == 0x20 }
            guard readKey() != nil else { return false }
            if take(UInt8(ascii: "=")), readItem() == nil { return false }
        }
        return true
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skip(_ predicate: (UInt8) -> Bool) {
        while let byte = next, predicate(byte) { index += 1 }
    }

    private static func isLowercase(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "a") < 26 }
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}
