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
                        "unknown is \(key.stringValue.debugDescription); accepted are \(names.map(AnyKey.written).sorted().joined(separator: ", "))"
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

    /// A name as it is in the JSON.
    static func written(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
