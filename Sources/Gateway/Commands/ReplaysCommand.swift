import Admin
import ArgumentParser

/// Bulk replays.
struct ReplaysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replays",
        abstract: "List bulk replays, follow one, pause, resume and cancel it.",
        discussion: "`requests replay` with filters makes one.",
        subcommands: [List.self, Show.self, Pause.self, Resume.self, Cancel.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List bulk replays, the newest first."
        )

        @OptionGroup var watching: WatchOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await reporting {
                try await Showing(path: "/admin/api/replays", text: ReplaysCommand.text).run(
                    options,
                    watch: watching.watch
                )
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show how far a bulk replay is.")

        @OptionGroup var job: JobOptions
        @Flag(name: .long, help: "Until it ends or pauses; ends with 1 where it did not complete all.") var follow =
            false

        func run() async throws {
            try await reporting {
                let (gateway, answer, now) = try await job.call("GET")
                guard follow else { return job.show(answer, now) }
                let progress = ReplayProgress(gateway: gateway, terminal: job.options.json ? .plain : .current)
                let end = try await progress.follow(now)
                StandardStream.output.write(try ReplayProgress.shown(end, json: job.options.json))
                guard ReplayProgress.hasCompletedAll(end) else { throw ExitCode.failure }
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause",
            abstract: "Make no more replays; those that wait already still go."
        )

        @OptionGroup var job: JobOptions

        func run() async throws { try await reporting { try await job.change("POST", "/pause") } }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume",
            abstract: "Go on with a bulk replay that is paused."
        )

        @OptionGroup var fields: FieldOptions
        @OptionGroup var job: JobOptions

        func run() async throws {
            try await reporting {
                try await job.change("POST", "/resume", ReplayResumption(headers: try fields.read()))
            }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel",
            abstract: "End a bulk replay; those of its requests that pods have go on."
        )

        @OptionGroup var job: JobOptions

        func run() async throws { try await reporting { try await job.change("DELETE", "") } }
    }

    @Sendable static func text(
        _ answers: [(gateway: String?, payload: ReplayJobsPayload)],
        _ terminal: Terminal
    ) -> String {
        var table = TextTable([
            .left("GATEWAY"), .left("JOB"), .left("BEGUN UTC", spared: 1), .left("STATE"), .right("MATCH"),
            .right("MAX", spared: 1),
            .right("COMPLETED"),
            .right("FAILED"), .right("INTERRUPTED", spared: 4), .right("LEFT OUT", spared: 5),
            .right("RATE", spared: 2), .long("NOTE", spared: 3),
        ])
        for (gateway, payload) in answers {
            for job in payload.replays {
                table.add([
                    gateway ?? "", job.id, ShownValue.time(job.createdAt), job.state, "\(job.matching)",
                    "\(job.max)",
                    "\(job.completed)",
                    "\(job.failed)", "\(job.interrupted)", "\(job.skipped.map(\.count).reduce(0, +))",
                    ShownValue.number(job.rate),
                    job.detail ?? "",
                ])
            }
        }
        return table.isEmpty ? "there are no bulk replays\n" : table.text(width: terminal.width)
    }
}

/// Which bulk replay a command is about.
struct JobOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("As `replays` shows it.", valueName: "JOB"))
    var id: String

    @OptionGroup var options: AdminOptions

    func call(
        _ method: String,
        _ path: String = "",
        _ body: (any Encodable & Sendable)? = nil
    ) async throws -> (AdminClient, AdminClient.Answer, ReplayJobPayload) {
        let gateway = try options.fleet().one(for: "replays")
        let answer = try await gateway.call(method, "/admin/api/replays/\(AdminClient.encoded(id))\(path)", body: body)
        return (gateway, answer, try gateway.read(ReplayJobPayload.self, from: answer))
    }

    /// Changes it, and shows what it is then.
    func change(_ method: String, _ path: String, _ body: (any Encodable & Sendable)? = nil) async throws {
        let (_, answer, job) = try await call(method, path, body)
        show(answer, job)
    }

    func show(_ answer: AdminClient.Answer, _ job: ReplayJobPayload) {
        StandardStream.output.write(options.json ? JSONLine.text(answer.text, of: nil) : ReplayProgress.summary(job))
    }
}
