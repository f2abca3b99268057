import Admin
import Foundation

/// A bulk replay on its way: followed until it ends, with a bar where there is a terminal.
struct ReplayProgress {
    let gateway: AdminClient
    let terminal: Terminal

    private static let barWidth = 24

    /// Follows a job.
    /// - Returns: The job as it ended, or paused.
    func follow(
        _ job: ReplayJobPayload,
        clock: some Clock<Duration> = ContinuousClock()
    ) async throws -> ReplayJobPayload {
        var job = job
        while !Self.isOver(job) {
            draw(job)
            try await clock.sleep(for: .milliseconds(500))
            job = try await gateway.ask(
                ReplayJobPayload.self,
                "GET",
                "/admin/api/replays/\(AdminClient.encoded(job.id))"
            )
        }
        draw(job)
        if terminal.width != nil { StandardStream.error.write("\n") }
        return job
    }

    private func draw(_ job: ReplayJobPayload) {
        guard let width = terminal.width else { return }
        StandardStream.error.write(Terminal.lineStart + VisibleText.cut(Self.line(job), to: width - 1))
    }

    /// Nothing more will become of it by itself.
    static func isOver(_ job: ReplayJobPayload) -> Bool {
        switch job.state {
        case "running": false
        case "paused": true
        default: job.waiting + job.dispatched == 0
        }
    }

    /// Whether it sent all that it was to, and all of that completed. What had been replayed before was none of it.
    static func hasCompletedAll(_ job: ReplayJobPayload) -> Bool {
        let leftOut = job.skipped.filter { $0.reason != "already_replayed" }
        return job.state == "finished" && job.serverErrors + job.failed + job.interrupted == 0 && leftOut.isEmpty
    }

    /// As it is printed at the end.
    static func shown(_ job: ReplayJobPayload, json: Bool) throws -> String {
        guard json else { return summary(job) }
        return JSONLine.text(String(decoding: try JSON.encoder.encode(job), as: UTF8.self), of: nil)
    }

    /// `[########................]  33 %  3300 of 10000, 2 failed`
    static func line(_ job: ReplayJobPayload) -> String {
        let total = total(job)
        let parts = max(1, total)
        let done = min(total, job.completed + job.failed + job.interrupted + skipped(job))
        let filled = barWidth * done / parts
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
        let percent = "\(100 * done / parts)"
        let padding = String(repeating: " ", count: 3 - percent.count)
        return "[\(bar)] \(padding)\(percent) %  " + counts(job, of: total)
    }

    /// What became of it, in words.
    static func summary(_ job: ReplayJobPayload) -> String {
        var lines = ["replay \(job.id) \(job.state)\(job.detail.map { ": \(VisibleText.line($0))" } ?? "")"]
        lines.append("  " + counts(job, of: total(job)))
        lines += job.skipped.map { "  left out: \($0.count) \(VisibleText.line($0.reason))" }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is left out takes nothing from the most that may be sent.
    private static func total(_ job: ReplayJobPayload) -> Int {
        max(min(job.matching, job.max), job.queued + skipped(job))
    }

    private static func counts(_ job: ReplayJobPayload, of total: Int) -> String {
        let parts = [
            ("completed", job.completed), ("of them with 5xx", job.serverErrors), ("failed", job.failed),
            ("interrupted", job.interrupted),
            ("left out", skipped(job)),
            ("waiting", job.waiting), ("running", job.dispatched),
        ]
        .filter { $0.1 > 0 || $0.0 == "completed" }
        .map { "\($0.1) \($0.0)" }
        return "of \(job.complete ? "" : "at least ")\(total): \(parts.joined(separator: ", "))"
    }

    private static func skipped(_ job: ReplayJobPayload) -> Int { job.skipped.map(\.count).reduce(0, +) }
}
