import Core

/// Which requests are meant, in words of the document: the same in the query of the log and in the body of a bulk replay or a purge.
enum LogFilterDocument {
    static let states = RequestState.allCases.map(\.name)
    static let reasons = EndReason.allCases.map(\.rawValue)
    static let name = Schema.text(0...1024)
    static let text = Schema.text(0...256).about("Part of path, reason or pod; or an id.")
    static let status = Schema.text(matching: "^([1-9]xx|[1-9][0-9]{2})$").about("503, 5xx; also 500-599.")
    static let moment = Schema.any(of: [
        .integer(0...Int(RequestQuery.latest)).about("Milliseconds since 1970."), .time,
    ])
    static let job = Schema.integer(1...Int.max).about("A bulk replay's id.")

    /// In a body.
    static func order(_ states: [String] = states) -> Schema {
        .object(
            [:],
            maybe: [
                "state": .list(of: .word(states), atLeast: 1),
                "reason": .list(of: .word(reasons), atLeast: 1),
                "route": name,
                "pod": name,
                "status": .any(of: [.integer(100...999), status]),
                "since": moment,
                "until": moment,
                "text": .text(1...256),
                "replay_of": .requestID,
                "replay_job": .any(of: [job, .text(matching: "^[1-9][0-9]{0,17}$")]),
            ],
            atLeast: 1
        )
    }

    /// As a job tells it.
    static let answer = Schema.object(
        [:],
        maybe: [
            "state": .list(of: .word(states)), "reason": .list(of: .word(reasons)), "route": .text, "pod": .text,
            "status": .text, "since": .time, "until": .time, "text": .text, "replay_of": .requestID,
            "replay_job": .text,
        ]
    )
}
