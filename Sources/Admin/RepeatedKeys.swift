import Foundation

/// Finds names that an object of a JSON text has twice. Of such a text readers take the one value or the other (RFC 8259 §4), and an order
/// that was checked by one and carried out by another is another order.
enum RepeatedKeys {
    /// Deeper texts are not read by the decoder either.
    private static let deepest = 512

    /// The first name that is repeated, as it is meant (without escapes); nil where there is none, and where the text is no JSON.
    static func first(in text: UnsafeRawBufferPointer) -> String? {
        // The names of the objects that are open; nil for a list.
        var open: [Set<String>?] = []
        var expectsName = false
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\""):
                let end = endOfString(text, from: index)
                if expectsName, let name = name(UnsafeRawBufferPointer(rebasing: text[index..<end])) {
                    expectsName = false
                    guard open[open.count - 1]?.insert(name).inserted == true else { return name }
                }
                index = end
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard open.count < deepest else { return nil }
                expectsName = text[index] == UInt8(ascii: "{")
                open.append(expectsName ? [] : nil)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = open.popLast()
                expectsName = false
            case UInt8(ascii: ","):
                if let last = open.last { expectsName = last != nil }
            default: break
            }
            index += 1
        }
        return nil
    }

    /// Behind the closing quote of a string, or at the text's end.
    private static func endOfString(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start + 1
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\""): return index + 1
            case UInt8(ascii: "\\"): index += 2
            default: index += 1
            }
        }
        return text.count
    }

    /// - Parameter string: With its quotes.
    private static func name(_ string: UnsafeRawBufferPointer) -> String? {
        if string.contains(UInt8(ascii: "\\")) { return try? JSONDecoder().decode(String.self, from: Data(string)) }
        return String(decoding: string.dropFirst().dropLast(), as: UTF8.self)
    }
}
