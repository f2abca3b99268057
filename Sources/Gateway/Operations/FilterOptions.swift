import Admin
import ArgumentParser
import Foundation

/// Which requests of the log are meant: filters that combine.
struct FilterOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "queued, dispatched, completed, failed, expired, …; several, separated by commas.",
            valueName: "STATE,…"
        )
    )
    var state: String?
    @Option(
        name: .long,
        help: ArgumentHelp("no_capacity, upstream_reset, …; several, separated by commas.", valueName: "REASON,…")
    )
    var reason: String?
    @Option(name: .long, help: ArgumentHelp("As `routes` shows it: 'POST /v1/train'.", valueName: "ROUTE"))
    var route: String?
    @Option(name: .long, help: ArgumentHelp("As `pods` shows it.", valueName: "POD"))
    var pod: String?
    @Option(name: .long, help: ArgumentHelp("503, 5xx or 500-599.", valueName: "STATUS"))
    var status: String?
    @Option(name: .long, help: ArgumentHelp("2026-11-24T12:00:00Z, or 15m: as long ago.", valueName: "TIME"))
    var since: String?
    @Option(name: .long, help: ArgumentHelp("The same.", valueName: "TIME"))
    var until: String?
    @Option(name: .long, help: ArgumentHelp("Part of the path, the reason or the pod; or an id.", valueName: "TEXT"))
    var text: String?

    @Option(name: .long, help: ArgumentHelp("The replays of one request.", valueName: "ID"))
    var replayOf: String?
    @Option(name: .long, help: ArgumentHelp("The requests of one bulk replay.", valueName: "JOB"))
    var replayJob: String?

    var isEmpty: Bool {
        [state, reason, route, pod, status, since, until, text, replayOf, replayJob].allSatisfy { $0 == nil }
    }

    /// As the API's query.
    func query(now: Date = Date()) throws(GatewayError) -> [(String, String)] {
        let (since, until) = try span(now)
        let values: [(String, String?)] = [
            ("state", state), ("reason", reason), ("route", route), ("pod", pod), ("status", status),
            ("since", since), ("until", until),
            ("text", text), ("replay_of", replayOf), ("replay_job", replayJob),
        ]
        return values.compactMap { name, value in value.map { (name, $0) } }
    }

    /// As bulk calls take it.
    /// - Throws: ``GatewayError`` also where nothing is said: a change of everything is rarely meant.
    func payload(now: Date = Date()) throws(GatewayError) -> LogFilterPayload {
        guard !isEmpty else {
            throw GatewayError(
                .usage,
                "say which requests are meant, for example --state failed; for all of them --since 3650d"
            )
        }
        var filter = LogFilterPayload()
        filter.state = Self.list(state)
        filter.reason = Self.list(reason)
        filter.route = route
        filter.pod = pod
        filter.status = status
        (filter.since, filter.until) = try span(now)
        filter.text = text
        filter.replayOf = replayOf
        filter.replayJob = replayJob
        return filter
    }

    /// From when to when.
    /// - Throws: ``GatewayError`` also where there is no time between them.
    private func span(_ now: Date) throws(GatewayError) -> (since: String?, until: String?) {
        let span = (try Self.time(since, "--since", now), try Self.time(until, "--until", now))
        if let begin = span.0.flatMap(Self.date), let end = span.1.flatMap(Self.date), begin >= end {
            throw GatewayError(
                .usage,
                "--since \(quoted(since ?? "")) is not before --until \(quoted(until ?? "")): nothing can match"
            )
        }
        return span
    }

    private static func list(_ text: String?) -> [String]? { text?.split(separator: ",").map(\.trimmed) }

    /// A time of day as it is, how long ago as the time of day that it was.
    static func time(_ text: String?, _ flag: String, _ now: Date) throws(GatewayError) -> String? {
        guard let text else { return nil }
        if let duration = DurationText.parse(text), text.last?.isLetter == true {
            return now.addingTimeInterval(-(duration / .seconds(1))).formatted(
                Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            )
        }
        if date(text) != nil { return text }
        throw GatewayError(
            .usage,
            "\(flag) \(quoted(text)) is not accepted; 2026-11-24T12:00:00Z is, or 15m for a quarter of an hour ago"
        )
    }

    private static func date(_ text: String) -> Date? {
        let styles = [Date.ISO8601FormatStyle(includingFractionalSeconds: true), Date.ISO8601FormatStyle()]
        return styles.lazy.compactMap { try? $0.parse(text) }.first
    }
}
