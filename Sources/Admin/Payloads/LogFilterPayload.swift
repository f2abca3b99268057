import Core
package import Queue

/// Which requests a bulk replay or a purge is about: the filters of `GET /admin/api/requests`, in JSON. What is absent does not restrict.
package struct LogFilterPayload: Codable, Equatable, Sendable {
    package var state: [String]?
    package var reason: [String]?
    package var route: String?
    package var pod: String?
    /// `503`, `5xx` or `500-599`; read as a number too.
    package var status: String?
    /// RFC 3339, or milliseconds since 1970.
    package var since: String?
    package var until: String?
    package var text: String?
    package var replayOf: String?
    package var replayJob: String?

    package init() {}

    package init(_ filter: LogFilter) {
        state = filter.states.isEmpty ? nil : filter.states.map(\.name).sorted()
        reason = filter.reasons.isEmpty ? nil : filter.reasons.map(\.rawValue).sorted()
        route = filter.routeID
        pod = filter.podID
        status = filter.statuses.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        since = filter.sinceMilliseconds.map(RequestSummaryPayload.time)
        until = filter.untilMilliseconds.map(RequestSummaryPayload.time)
        text = filter.text
        replayOf = filter.replayOf.map { "\($0)" }
        replayJob = filter.replayJob.map { "\($0)" }
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case state
        case reason
        case route
        case pod
        case status
        case since
        case until
        case text
        case replayOf
        case replayJob
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseKeys(except: CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        // Null is refused: a program whose variable is empty does not mean all of them.
        func value<Value: Decodable>(_ key: CodingKeys) throws -> Value? {
            values.contains(key) ? try values.decode(Value.self, forKey: key) : nil
        }
        func number(_ key: CodingKeys) throws -> String? {
            if let number = try? values.decodeIfPresent(Int64.self, forKey: key) { return "\(number)" }
            return try value(key)
        }
        state = try value(.state)
        reason = try value(.reason)
        route = try value(.route)
        pod = try value(.pod)
        status = try number(.status)
        since = try number(.since)
        until = try number(.until)
        text = try value(.text)
        replayOf = try value(.replayOf)
        replayJob = try number(.replayJob)
    }

    /// - Throws: ``AdminProblem`` that says what is wrong; also where nothing is said, since a change of everything is rarely meant.
    func filter() throws -> LogFilter {
        guard state?.isEmpty != true, reason?.isEmpty != true, text?.isEmpty != true else {
            throw AdminProblem.badRequest("`state`, `reason` and `text` name something, or are left out")
        }
        var filter = LogFilter()
        filter.states = Set(try (state ?? []).map(RequestQuery.state))
        filter.reasons = Set(try (reason ?? []).map(RequestQuery.reason))
        filter.routeID = try route.map { try RequestQuery.name($0, "route") }
        filter.podID = try pod.map { try RequestQuery.name($0, "pod") }
        filter.statuses = try status.map(RequestQuery.statuses)
        filter.sinceMilliseconds = try since.map { try RequestQuery.time($0, "since") }
        filter.untilMilliseconds = try until.map { try RequestQuery.time($0, "until") }
        filter.text = try text.flatMap(RequestQuery.text)
        filter.replayOf = try replayOf.map { try RequestQuery.id($0, "replay_of") }
        filter.replayJob = try replayJob.map { try RequestQuery.job($0, "replay_job") }
        guard !filter.isEmpty else {
            throw AdminProblem.badRequest(
                "`filter` restricts nothing; say which requests are meant, for all of them for example {\"since\": 0}"
            )
        }
        return filter
    }
}
