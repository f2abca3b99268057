/// A JSON schema (draft 2020-12, which OpenAPI 3.1 uses), as far as the API needs one.
struct Schema: Encodable, Sendable {
    let json: JSONValue

    private init(_ json: JSONValue) { self.json = json }

    func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }

    /// The same, with what it means.
    func about(_ description: String) -> Schema {
        Schema(json.with("description", .text(description)))
    }

    // MARK: Simple values

    static let anything = Schema([:])
    static let flag = Schema(["type": "boolean"])
    static let text = Schema(["type": "string"])
    static let number = Schema(["type": "number"])
    /// How many of something.
    static let count = Schema(["type": "integer", "minimum": 0])
    static let seconds = Schema(["type": "number", "description": "In seconds."])
    static let time = Schema([
        "type": "string", "format": "date-time", "description": "RFC 3339, UTC.",
    ])
    /// A request's id: 13 characters of Crockford's base 32.
    static let requestID = text(matching: "^(?!0+$)[0-7][0-9A-HJKMNP-TV-Z]{12}$")

    static func text(_ length: ClosedRange<Int>) -> Schema {
        Schema([
            "type": "string", "minLength": .integer(length.lowerBound),
            "maxLength": .integer(length.upperBound),
        ])
    }

    static func text(matching pattern: String) -> Schema {
        Schema(["type": "string", "pattern": .text(pattern)])
    }

    static func integer(_ bounds: ClosedRange<Int>) -> Schema {
        Schema([
            "type": "integer", "minimum": .integer(bounds.lowerBound),
            "maximum": .integer(bounds.upperBound),
        ])
    }

    static func number(_ bounds: ClosedRange<Double>) -> Schema {
        Schema(["type": "number", "minimum": .number(bounds.lowerBound), "maximum": .number(bounds.upperBound)])
    }

    /// One of a closed list.
    static func word(_ words: [String]) -> Schema {
        Schema(["type": "string", "enum": .list(words.map { .text($0) })])
    }

    /// Some of a closed list, with commas between them; nothing between two of them counts for nothing.
    static func words(_ words: [String]) -> Schema {
        let one = "(\(words.joined(separator: "|")))?"
        return text(matching: "^\(one)(,\(one))*$")
    }

    static func any(of schemas: [Schema]) -> Schema { Schema(["anyOf": .list(schemas.map(\.json))]) }

    /// The same, or null.
    var orNull: Schema { .any(of: [self, Schema(["type": "null"])]) }

    // MARK: Composed values

    static func list(of element: Schema, atLeast: Int = 0) -> Schema {
        let json: JSONValue = ["type": "array", "items": element.json]
        return Schema(atLeast > 0 ? json.with("minItems", .integer(atLeast)) : json)
    }

    /// Values by names that are not known beforehand.
    static func map(of value: Schema) -> Schema { Schema(["type": "object", "additionalProperties": value.json]) }

    /// Fields of a request by their names (RFC 9110 §5.1, §5.5).
    static func fields(_ value: (Schema) -> Schema = { $0 }) -> Schema {
        let text = value(Schema.text(matching: #"^([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$"#))
        let names: JSONValue = ["pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"]
        return Schema(map(of: text).json.with("propertyNames", names).with("maxProperties", 100))
    }

    /// The same without both of two members.
    func either(_ first: String, or second: String) -> Schema {
        Schema(json.with("not", ["required": [.text(first), .text(second)]]))
    }

    /// One of the document's components.
    static func named(_ name: String) -> Schema {
        Schema(["$ref": .text("#/components/schemas/\(name)")])
    }

    /// An object with these members and no others.
    /// - Parameters:
    ///   - always: What is always there.
    ///   - maybe: What is left out where there is none.
    ///   - atLeast: How many there must be.
    ///   - others: Whether others may be there.
    static func object(
        _ always: KeyValuePairs<String, Schema>,
        maybe: KeyValuePairs<String, Schema> = [:],
        atLeast: Int = 0,
        others: Bool = false
    ) -> Schema {
        var json: [(String, JSONValue)] = [
            ("type", "object"),
            ("properties", .object((Array(always) + Array(maybe)).map { ($0.key, $0.value.json) })),
            ("additionalProperties", .flag(others)),
        ]
        if !always.isEmpty { json.append(("required", .list(always.map { .text($0.key) }))) }
        if atLeast > 0 { json.append(("minProperties", .integer(atLeast))) }
        return Schema(.object(json))
    }
}
