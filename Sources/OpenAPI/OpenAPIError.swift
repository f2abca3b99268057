/// Why an OpenAPI document is refused: file, place, cause and what is accepted, in words that an operator can act on.
package struct OpenAPIError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The file cannot be read.
        case unreadable
        /// It is larger, deeper or (its aliases followed) has more values than is read.
        case tooLarge
        /// It is neither JSON nor YAML.
        case syntax
        /// It is not an OpenAPI 3.0 or 3.1 document.
        case version
        /// A value is not what it has to be.
        case value
        /// A `$ref` that is not followed, leads nowhere or in a circle.
        case reference
        /// Two operations that no request can tell apart.
        case ambiguous
    }

    package var code: Code
    /// The path as it was given.
    package var file: String
    /// From 1; nil where no place in the file is meant.
    package var line: Int?
    /// From 1; in characters (YAML) or bytes (JSON).
    package var column: Int?
    /// A JSON pointer as a URI fragment (RFC 6901 §6): `#/paths/~1v1~1infer/post`. nil for the whole document.
    package var pointer: String?
    package var message: String

    package init(
        _ code: Code,
        file: String,
        line: Int? = nil,
        column: Int? = nil,
        pointer: String? = nil,
        message: String
    ) {
        self.code = code
        self.file = file
        self.line = line
        self.column = column
        self.pointer = pointer
        self.message = message
    }

    /// `openapi.yaml:12:20: #/paths/~1a/post/x-neutrino-retry: "sometimes" is not accepted; …`
    package var description: String {
        var text = file
        if let line { text += ":\(line)" }
        if line != nil, let column { text += ":\(column)" }
        if let pointer { text += ": \(pointer)" }
        return "\(text): \(message)"
    }
}
