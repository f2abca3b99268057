/// A value of a JSON or YAML document, with the place it has in the file.
package struct DocumentNode: Sendable {
    package enum Value: Sendable {
        /// `isPlain`: written without quotes (and without a tag that says text), so that it may mean a number, a truth value or null.
        case scalar(String, isPlain: Bool)
        case sequence([DocumentNode])
        /// In the order of the file, keys unique, YAML's merge keys (`<<`) already merged.
        case mapping([(key: String, value: DocumentNode)])
    }

    package var value: Value
    package var line: Int
    package var column: Int

    /// The value of a key; nil where this is no mapping or has no such key.
    package subscript(_ key: String) -> DocumentNode? {
        guard case .mapping(let pairs) = value else { return nil }
        return pairs.first { $0.key == key }?.value
    }

    /// Text: quoted, or plain and not null. Plain numbers are text as they are written.
    package var text: String? {
        guard case .scalar(let text, _) = value, !isNull else { return nil }
        return text
    }

    /// A plain decimal number, finite.
    package var number: Double? {
        guard case .scalar(let text, isPlain: true) = value, !text.isEmpty,
            text.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || "+-.eE".utf8.contains($0) }),
            let number = Double(text), number.isFinite
        else { return nil }
        return number
    }

    package var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = value else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What an error message calls it: the value itself where it is short.
    package var summary: String {
        switch value {
        case .scalar(_, _) where isNull: return "null"
        case .scalar(let text, let isPlain):
            let short = text.count > 60 ? text.prefix(60) + "…" : text[...]
            return isPlain ? String(short) : "\"\(short)\""
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        }
    }
}

/// Bounds on what is read of a document.
package struct DocumentLimits: Sendable {
    /// The file's size.
    package var bytes = 16 * 1024 * 1024
    /// Values in it, with every YAML alias counted as what it stands for: a few hundred bytes of aliases of aliases can stand for
    /// more values than memory holds.
    package var values = 2_000_000
    /// Mappings and lists inside each other. libyaml has a bound of 1,000 of its own.
    package var depth = 500

    package init() {}
}

/// Where in a text a reader of JSON or YAML gave up, and why. It becomes an ``OpenAPIError`` once the file is known.
package struct DocumentProblem: Error, CustomStringConvertible {
    package var code = OpenAPIError.Code.syntax
    package var line: Int?
    package var column: Int?
    package var message: String

    package var description: String {
        guard let line else { return message }
        return "line \(line)\(column.map { ", column \($0)" } ?? ""): \(message)"
    }
}
