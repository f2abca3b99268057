import Core
import Queue

/// One request with everything that is known of it.
package struct RequestPayload: Codable, Sendable {
    package struct Attempt: Codable, Sendable {
        package var number: Int
        package var pod: String
        package var at: String
    }

    package struct Step: Codable, Sendable {
        package var at: String
        package var state: String
        package var pod: String?
    }

    package struct Field: Codable, Sendable {
        package var name: String
        package var value: String
    }

    package struct Answer: Codable, Sendable {
        package var status: Int
        package var headers: [Field]
        package var withheld: [String]
        package var body: BodyPayload?
    }

    package var request: RequestSummaryPayload
    package var needs: NeedsPayload
    package var headers: [Field]
    /// Names whose values were not kept.
    package var withheld: [String]
    package var body: BodyPayload?
    package var attempts: [Attempt]
    package var timeline: [Step]
    package var answer: Answer?
    package var replays: [String]

    init(_ entry: LogEntry, showsBodies: Bool) {
        request = RequestSummaryPayload(entry.summary)
        needs = NeedsPayload(entry.needs)
        headers = entry.fields.map { Field(name: $0.name, value: $0.value) }
        withheld = entry.withheld
        body = showsBodies ? BodyPayload(entry.body, bytes: entry.summary.bodyBytes) : nil
        attempts = entry.attempts.map {
            Attempt(number: $0.number, pod: $0.podID, at: RequestSummaryPayload.time($0.milliseconds))
        }
        timeline = entry.timeline.map {
            Step(at: RequestSummaryPayload.time($0.milliseconds), state: $0.state.name, pod: $0.podID)
        }
        answer = entry.answer.map { answer in
            Answer(
                status: answer.status,
                headers: answer.fields.map { Field(name: $0.name, value: $0.value) },
                withheld: answer.withheld,
                body: showsBodies ? answer.body.map { BodyPayload($0, bytes: entry.summary.answerBytes ?? 0) } : nil
            )
        }
        replays = entry.replays.map { "\($0)" }
    }
}
