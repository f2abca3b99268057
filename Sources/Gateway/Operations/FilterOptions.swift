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

    var isEmpty: Bool {
        [state, reason, route, pod, status, since, until, text].allSatisfy { $0 == nil }
    }

    /// As the API's query.
    func query(now: Date = Date()) throws(GatewayError) -> [(String, String)] {
        let values: [(String, String?)] = [
            ("state", state), ("reason", reason), ("route", route), ("pod", pod), ("status", status),
            ("since", try Self.time(since, "--since", now)), ("until", try Self.time(until, "--until", now)),
            ("text", text),
        ]
        return values.compactMap { name, value in value.map { (name, $0) } }
    }

    /// A time of day as it is, how long ago as the time of day that it was.
    static func time(_ text: String?, _ flag: String, _ now: Date) throws(GatewayError) -> String? {
        guard let text else { return nil }
        if let duration = DurationText.parse(text), text.last?.isLetter == true {
            return now.addingTimeInterval(-(duration / .seconds(1))).formatted(
                Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            )
        }
        for style in [Date.ISO8601FormatStyle(includingFractionalSeconds: true), Date.ISO8601FormatStyle()]
        where (try? style.parse(text)) != nil {
            return text
        }
        throw GatewayError(
            .usage,
            "\(flag) \(quoted(text)) is not accepted; 2026-11-24T12:00:00Z is, or 15m for a quarter of an hour ago"
        )
    }
}
