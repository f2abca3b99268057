import Admin
import ArgumentParser

/// Shows one request.
struct RequestsShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one request: where its time went, its attempts, fields, body and answer.",
        discussion:
            "Bodies are shown where they are text, control characters written out, cut at 64 KiB. --json has the others in base64."
    )

    @Argument(help: ArgumentHelp("As Neutrino-Request-Id tells it.", valueName: "ID"))
    var id: String

    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard !id.isEmpty else { throw ValidationError("the ID is empty") }
    }

    func run() async throws {
        try await reporting {
            let fleet = try options.fleet()
            let path = "/admin/api/requests/\(AdminClient.encoded(id))"
            let (gateway, answer) = try await fleet.first { gateway throws(GatewayError) in
                try await gateway.call("GET", path)
            }
            if options.json { return StandardStream.output.write(JSONLine.text(answer.text, of: nil)) }
            let request = try gateway.read(RequestPayload.self, from: answer)
            StandardStream.output.write(
                (fleet.isOne ? "" : "gateway   \(gateway.url)\n") + RequestText(request: request).text
            )
        }
    }
}

/// One request, for people.
struct RequestText {
    let request: RequestPayload

    var text: String {
        let summary = request.request
        var lines = [
            "\(summary.method) \(summary.path)",
            "",
            row("id", summary.id),
            row(
                "state",
                ([summary.state, summary.reason].compactMap(\.self)).joined(separator: ": ") + status(summary.status)
            ),
        ]
        if let detail = summary.detail { lines.append(row("because", detail)) }
        lines += [
            row("route", "\(summary.route)  (needs \(ShownValue.needs(request.needs)))"),
            row("client", summary.client),
        ]
        if let pod = summary.pod { lines.append(row("pod", pod)) }
        if summary.priority != "live" { lines.append(row("priority", summary.priority)) }
        if let source = summary.replayOf { lines.append(row("replay of", source)) }
        if !request.replays.isEmpty { lines.append(row("replays", request.replays.joined(separator: ", "))) }
        lines += [row("time", times(summary)), ""]
        for step in request.timeline {
            lines.append(
                row(
                    clock(step.at),
                    [step.state, step.pod.map { "at \($0)" }].compactMap(\.self).joined(separator: " ")
                )
            )
        }
        for attempt in request.attempts where request.attempts.count > 1 {
            lines.append(row(clock(attempt.at), "attempt \(attempt.number) at \(attempt.pod)"))
        }
        lines += section("fields", request.headers, request.withheld, request.body)
        if let answer = request.answer {
            lines += section("answer \(answer.status)", answer.headers, answer.withheld, answer.body)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func row(_ name: String, _ value: String) -> String {
        let name = VisibleText.line(name)
        return "  " + name + String(repeating: " ", count: max(1, 14 - name.count)) + VisibleText.line(value)
    }

    private func status(_ status: Int?) -> String { status.map { ", status \($0)" } ?? "" }

    private func times(_ summary: RequestSummaryPayload) -> String {
        [
            ("held", summary.hold), ("first byte after", summary.firstByte), ("at the pod", summary.upstream),
            ("in all", summary.total),
        ]
        .compactMap { name, seconds in seconds.map { "\(name) \(ShownValue.duration($0))" } }
        .joined(separator: ", ")
    }

    /// The time of day of RFC 3339, to the millisecond.
    private func clock(_ time: String) -> String {
        guard let start = time.firstIndex(of: "T") else { return time }
        return time[time.index(after: start)...].filter { $0 != "Z" }
    }

    private func section(
        _ title: String,
        _ fields: [RequestPayload.Field],
        _ withheld: [String],
        _ body: BodyPayload?
    ) -> [String] {
        var lines = ["", VisibleText.line(title)]
        lines += fields.map { "  \(VisibleText.line($0.name)): \(VisibleText.line($0.value))" }
        lines += withheld.map { "  \(VisibleText.line($0)): (a credential, not kept)" }
        guard let body else { return lines }
        lines += ["", "body, \(ShownValue.bytes(body.bytes))\(note(on: body))"]
        if let text = body.text {
            lines += VisibleText.block(text).split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
        }
        return lines
    }

    private func note(on body: BodyPayload) -> String {
        switch body.kind {
        case "kept" where body.text == nil: ", not text"
        case "kept": body.isCut ? ", cut" : ""
        case "removed": ", removed (LOG_BODY_RETENTION)"
        default: ", \(body.kind)"
        }
    }
}
