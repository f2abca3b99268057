import Admin
import NIOCore

/// Many requests sent again: looked at first, then asked about, begun and followed.
struct BulkReplay {
    let gateway: AdminClient
    var order: ReplayJobOrder
    let terminal: Terminal

    /// What it would do.
    func preview() async throws(GatewayError) -> (ReplayPreviewPayload, AdminClient.Answer) {
        var order = order
        order.dryRun = true
        // Of a long log as much is counted as a few seconds suffice for.
        let answer = try await gateway.call("POST", "/admin/api/replays", body: order, timeout: .minutes(10))
        return (try gateway.read(ReplayPreviewPayload.self, from: answer), answer)
    }

    func begin() async throws(GatewayError) -> ReplayJobPayload {
        try await gateway.ask(ReplayJobPayload.self, "POST", "/admin/api/replays", body: order, timeout: .minutes(10))
    }

    /// What is asked before it is done.
    static func question(_ preview: ReplayPreviewPayload) -> String {
        let some = ShownValue.count(preview.replayable, "request")
        return preview.complete
            ? "Send \(some) again?" : "Send all that match again, \(some) at least? Not all of the log was looked at."
    }

    static func text(_ preview: ReplayPreviewPayload, _ terminal: Terminal) -> String {
        let least = preview.complete ? "" : "at least "
        var text =
            "\(least)\(ShownValue.count(preview.matching, "request")) match, \(preview.replayable) can be sent again\n"
        if !preview.complete {
            text += "  the log is too long to be counted in a moment; the job looks through all of it\n"
        }
        for refused in preview.refused {
            let hint =
                refused.reason == "confirmation_needed"
                ? " (may have run and is not idempotent; --yes takes them too)" : ""
            text += "  left out: \(refused.count) \(VisibleText.line(refused.reason))\(hint)\n"
        }
        guard !preview.first.isEmpty else { return text }
        var table = TextTable([
            .left("ID"), .left("ACCEPTED UTC", spared: 1), .left("STATE"), .right("STATUS", spared: 2),
            .long("REASON", spared: 3),
            .long("REQUEST"),
        ])
        for request in preview.first {
            table.add([
                request.id, ShownValue.time(request.acceptedAt), request.state, request.status.map { "\($0)" } ?? "",
                request.reason ?? "", "\(request.method) \(request.path)",
            ])
        }
        return text + "the first of them:\n" + table.text(width: terminal.width)
    }
}
