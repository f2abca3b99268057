import HTTPTypes

/// One call, as the document tells of it. Each group of calls says it next to its code.
struct CallDocument: Sendable {
    var method: HTTPRequest.Method
    /// With its parameters in braces.
    var path: String
    var summary: String
    var parameters: [Parameter] = []
    /// What a body may be; nil where none is read.
    var body: Body?
    var answers: [Answer]
    /// Refusals of its own, beside those that every call has.
    var problems: [Int] = []
    /// Whether it can be made without a token.
    var isOpen = false

    struct Parameter: Sendable {
        enum Place: String, Sendable {
            case path
            case query
        }

        var name: String
        var place: Place
        var schema: Schema

        static func query(_ name: String, _ schema: Schema) -> Parameter {
            Parameter(name: name, place: .query, schema: schema)
        }

        static func path(_ name: String, _ schema: Schema) -> Parameter {
            Parameter(name: name, place: .path, schema: schema)
        }
    }

    struct Body: Sendable {
        var schema: Schema
        /// Without it: as `{}`.
        var isRequired = false
        /// Whether a form with the same members will do.
        var takesForms = false

        static let types = ["application/json", "application/x-www-form-urlencoded"]
    }

    struct Answer: Sendable {
        var status: Int
        var description: String
        var type: String?
        var schema: Schema?

        static func json(
            _ schema: Schema,
            status: Int = 200,
            _ description: String = "So it is."
        )
            -> Answer
        {
            Answer(status: status, description: description, type: "application/json", schema: schema)
        }

        static func empty(_ status: Int, _ description: String) -> Answer {
            Answer(status: status, description: description)
        }

        static func stream(_ type: String, _ description: String) -> Answer {
            Answer(status: 200, description: description, type: type, schema: .text)
        }
    }
}

extension CallDocument {
    /// What every call of the API may be refused with: no token, the wrong one, the wrong host, too many wrong tokens, our own fault, a
    /// database that is unable.
    static let commonProblems = [400, 401, 403, 421, 429, 500, 503]

    private var refusals: [Int] {
        let ofBody = body == nil ? [] : [413, 415]
        return Array(Set((isOpen ? [400, 403, 421, 500] : Self.commonProblems) + problems + ofBody))
            .sorted()
    }

    /// `GET /admin/api/queue`.
    var name: String { "\(method.rawValue) \(path)" }

    /// The operation object.
    var json: JSONValue {
        var members: [(String, JSONValue)] = [("operationId", .text(id)), ("summary", .text(summary))]
        if !parameters.isEmpty { members.append(("parameters", .list(parameters.map(\.json)))) }
        if let body {
            let content = Body.types.prefix(body.takesForms ? 2 : 1).map { type -> (String, JSONValue) in
                (type, ["schema": body.schema.json])
            }
            members.append(("requestBody", ["required": .flag(body.isRequired), "content": .object(content)]))
        }
        var responses = answers.map { ("\($0.status)", $0.json) }
        for status in refusals where !answers.contains(where: { $0.status == status }) {
            responses.append(("\(status)", ["$ref": "#/components/responses/Problem"]))
        }
        members.append(("responses", .object(responses)))
        if isOpen { members.append(("security", .list([]))) }
        return .object(members)
    }

    /// `get_pods_id`, of the path behind `/admin/api`.
    private var id: String {
        let path = path.replacing("/admin/api", with: "")
        let words = path.split { !$0.isLetter && !$0.isNumber }.joined(separator: "_")
        return "\(method.rawValue.lowercased())_\(words)"
    }
}

extension CallDocument.Parameter {
    fileprivate var json: JSONValue {
        [
            "name": .text(name), "in": .text(place.rawValue), "required": .flag(place == .path),
            "schema": schema.json,
        ]
    }
}

extension CallDocument.Answer {
    fileprivate var json: JSONValue {
        let described: JSONValue = ["description": .text(description)]
        guard let type, let schema else { return described }
        return described.with("content", .object([(type, .object([("schema", schema.json)]))]))
    }
}
