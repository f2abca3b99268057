import Admin
import ArgumentParser
import Foundation

/// Sends requests again: one as it is or changed, or many by filter.
struct RequestsReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Send a request again, or all that match a filter, behind all live traffic.",
        usage: """
            neutrino-gateway requests replay ID [--yes] [--method METHOD] [--path PATH] [--header FIELD] [--body-file FILE]
            neutrino-gateway requests replay --state failed … [--dry-run] [--yes] [--safe-only] [--rate N] [--max N] [--detach]
            """,
        discussion: """
            What may have run and is not idempotent is only sent again with --yes; --safe-only leaves it out all the same. Many are sent in the background, by the gateway itself: \
            Control-C ends the display, not the replay; `replays` shows, pauses and cancels it. Ends with 1 where some did not complete.
            """
    )

    @Argument(help: ArgumentHelp("One request, as Neutrino-Request-Id tells it.", valueName: "ID"))
    var id: String?

    @Flag(name: .long, help: "Do not ask; also what may have run, and whose method is not idempotent.")
    var yes = false

    @Flag(name: .long, help: "With --yes: not what may have run, and whose method is not idempotent.")
    var safeOnly = false

    @OptionGroup(title: "Changes to one request") var changes: ReplayChanges
    @OptionGroup var fields: FieldOptions
    @OptionGroup(title: "Many requests") var bulk: BulkOptions
    @OptionGroup(title: "Which requests") var filter: FilterOptions
    @OptionGroup var options: AdminOptions

    func validate() throws {
        if id?.isEmpty == true { throw ValidationError("the ID is empty") }
        if id != nil, !filter.isEmpty { throw ValidationError("either an ID or filters, not both") }
        if id == nil, filter.isEmpty {
            throw ValidationError("say which: an ID, or filters such as --state failed --since 1h")
        }
        if id != nil, bulk.isGiven {
            throw ValidationError("--dry-run, --rate, --max and --detach are for many, by filter")
        }
        if id == nil, changes.isGiven { throw ValidationError("--method, --path and --body-file are for one request") }
    }

    func run() async throws {
        try await reporting {
            if let id { try await one(id) } else { try await many() }
        }
    }

    private func one(_ id: String) async throws {
        let order = ReplayOrder(
            confirm: isConfirmed,
            headers: try fields.read()?.mapValues { $0 },
            method: changes.method,
            path: changes.path,
            bodyBase64: try changes.body().map { Data($0).base64EncodedString() }
        )
        let path = "/admin/api/requests/\(AdminClient.encoded(id))/replay"
        let (gateway, answer) = try await options.fleet().first { gateway throws(GatewayError) in
            try await gateway.call("POST", path, body: order)
        }
        if options.json { return StandardStream.output.write(JSONLine.text(answer.text, of: nil)) }
        let replay = try gateway.read(ReplayPayload.self, from: answer)
        StandardStream.output.write("\(VisibleText.line(replay.id)) replays \(VisibleText.line(replay.replayOf))\n")
    }

    private func many() async throws {
        let terminal = Terminal.current
        let gateway = try options.fleet().one(for: "requests replay")
        let order = ReplayJobOrder(
            filter: try filter.payload(),
            rate: bulk.rate,
            max: bulk.max,
            confirm: isConfirmed,
            headers: try fields.read()
        )
        let replay = BulkReplay(gateway: gateway, order: order, terminal: terminal)
        if bulk.dryRun || !yes {
            let (preview, answer) = try await replay.preview()
            if bulk.dryRun, options.json { return StandardStream.output.write(JSONLine.text(answer.text, of: nil)) }
            // What is printed with --json is the job alone; what is asked about is for the person.
            (options.json ? StandardStream.error : .output).write(BulkReplay.text(preview, terminal))
            if bulk.dryRun { return }
            try Asking.whether(BulkReplay.question(preview), terminal)
        }
        let job = try await replay.begin()
        func show(_ job: ReplayJobPayload) throws {
            StandardStream.output.write(try ReplayProgress.shown(job, json: options.json))
        }
        if bulk.detach { return try show(job) }
        if !options.json {
            let rate = ShownValue.number(job.rate)
            StandardStream.error.write(
                "replay \(job.id), at most \(rate) a second; Control-C ends the display, `replays cancel \(job.id)` the replay\n"
            )
        }
        let end = try await ReplayProgress(gateway: gateway, terminal: options.json ? .plain : terminal).follow(job)
        try show(end)
        guard ReplayProgress.hasCompletedAll(end) else { throw ExitCode.failure }
    }

    private var isConfirmed: Bool? { yes && !safeOnly ? true : nil }
}

/// What of one request is another in its replay.
struct ReplayChanges: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Another method.", valueName: "METHOD"))
    var method: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Another path, with its query; its route decides what is needed.", valueName: "PATH")
    )
    var path: String?

    @Option(name: .long, help: ArgumentHelp("Another body.", valueName: "FILE"), completion: .file())
    var bodyFile: String?

    var isGiven: Bool { method != nil || path != nil || bodyFile != nil }

    func body() throws(GatewayError) -> [UInt8]? {
        guard let bodyFile else { return nil }
        do {
            return Array(try Data(contentsOf: URL(filePath: bodyFile)))
        } catch {
            throw GatewayError(.usage, "--body-file: cannot read \(quoted(bodyFile))", cause: error)
        }
    }
}

/// How many requests are replayed.
struct BulkOptions: ParsableArguments {
    @Flag(name: .long, help: "Only say how many match, and show the first ten.")
    var dryRun = false

    @Option(name: .long, help: ArgumentHelp("Replays a second; 10 where it is not given.", valueName: "N"))
    var rate: Double?

    @Option(name: .long, help: ArgumentHelp("Replays at most; 10000 where it is not given.", valueName: "N"))
    var max: Int?

    @Flag(name: .long, help: "Begin it and end; `replays show` tells how far it is.")
    var detach = false

    var isGiven: Bool { dryRun || rate != nil || max != nil || detach }
}
