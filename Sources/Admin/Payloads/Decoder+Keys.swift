extension Decoder {
    /// Refuses a key that is none of the payload's: one that is misspelt would change what a call does.
    func refuseKeys<Keys: CodingKey & CaseIterable>(except known: Keys.Type) throws {
        let names = Set(Keys.allCases.map(\.stringValue))
        let values = try container(keyedBy: AnyKey.self)
        for key in values.allKeys where !names.contains(key.stringValue) {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: codingPath,
                    debugDescription:
                        "unknown is \(AnyKey.written(key.stringValue).debugDescription); accepted are \(names.map(AnyKey.written).sorted().joined(separator: ", "))"
                )
            )
        }
    }
}

/// A key of any name.
struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }

    /// A member's name, as it is in the JSON, for a property's: `dry_run` is `dryRun`. One that is written in any other way is no property's,
    /// so that each has one spelling.
    init(read name: String) {
        var property = ""
        var isStart = false
        for character in name {
            if character == "_" {
                isStart = true
            } else {
                property += isStart ? character.uppercased() : String(character)
                isStart = false
            }
        }
        stringValue = Self.written(property) == name ? property : Self.foreign + name
    }

    /// No property's name begins so.
    private static let foreign = " "

    /// A name as it is in the JSON.
    static func written(_ name: String) -> String {
        guard !name.hasPrefix(foreign) else { return String(name.dropFirst(foreign.count)) }
        return name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
