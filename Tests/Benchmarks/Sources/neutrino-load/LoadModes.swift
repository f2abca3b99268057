import ArgumentParser
import Load

struct Saturate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Closed loop: how much it can do at most.")
    @OptionGroup var target: TargetOptions
    @OptionGroup var mix: MixOptions
    @Option var connections = 64
    @Option var seconds = 10.0
    @Option(help: "Seconds at the beginning that do not count.") var warmup = 1.0
    @Option var threads = 2

    func validate() throws {
        try Bounds.check(seconds: seconds)
        try Bounds.check(count: connections, atMost: 10_000, of: "connections")
        try Bounds.check(count: threads, atMost: 64, of: "threads")
    }

    func run() async throws {
        DescriptorLimit.raise()
        let target = try self.target.parsed()
        var mode = Saturation()
        mode.connections = connections
        mode.seconds = seconds
        mode.warmup = warmup
        mode.threads = threads
        let mix = RequestMix(kinds: self.mix.kinds, target: target, fields: self.target.fields)
        try printLine(await mode.run(target: target, mix: mix))
    }
}

struct Open: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open loop: latencies at a fixed rate, from when each request was meant to be sent."
    )
    @OptionGroup var target: TargetOptions
    @OptionGroup var mix: MixOptions
    @Option(help: "Requests a second.") var rate = 1_000.0
    @Option var seconds = 60.0
    @Option(help: "Seconds at the beginning that do not count.") var warmup = 1.0
    @Option(help: "Bound on the pool of connections.") var connections = 512
    @Option(help: "Of the order of the mix.") var seed: UInt64 = 1

    func validate() throws {
        try Bounds.check(seconds: seconds)
        try Bounds.check(count: connections, atMost: 10_000, of: "connections")
        guard rate > 0, rate <= 200_000 else { throw ValidationError("rate: up to 200000 a second") }
    }

    func run() async throws {
        DescriptorLimit.raise()
        let target = try self.target.parsed()
        var mode = OpenLoop()
        mode.rate = rate
        mode.seconds = seconds
        mode.warmup = warmup
        mode.maxConnections = connections
        mode.seed = seed
        let mix = RequestMix(kinds: self.mix.kinds, target: target, fields: self.target.fields)
        try printLine(await mode.run(target: target, mix: mix))
    }
}

struct Hold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Many requests held at once; prints {\"sent\": N} when all are out, the summary when all are answered."
    )
    @OptionGroup var target: TargetOptions
    @OptionGroup var mix: MixOptions
    @Option var count = 10_000
    @Option(help: "Requests a second while sending.") var rate = 4_000.0
    @Option(help: "Seconds after which each answer is expected.") var expectAfter = 30.0

    func validate() throws {
        try Bounds.check(count: count, atMost: 20_000, of: "count")
        try Bounds.check(seconds: expectAfter)
    }

    func run() async throws {
        DescriptorLimit.raise()
        let target = try self.target.parsed()
        var mode = Holding()
        mode.count = count
        mode.rate = rate
        mode.expectAfter = expectAfter
        let mix = RequestMix(kinds: self.mix.kinds, target: target, fields: self.target.fields)
        try printLine(await mode.run(target: target, mix: mix) { sent in try? printLine(["sent": sent]) })
    }
}

struct Sse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Server-sent events: how long after its \"sent\" stamp each one comes."
    )
    @OptionGroup var target: TargetOptions
    @Option var path: String
    @Option var method = "GET"
    @Option var connections = 1
    @Option(help: "Events that each stream should have.") var events = 100
    @Option var seconds = 60.0

    func validate() throws {
        try Bounds.check(seconds: seconds)
        try Bounds.check(count: connections, atMost: 10_000, of: "connections")
    }

    func run() async throws {
        DescriptorLimit.raise()
        let target = try self.target.parsed()
        var mode = EventStreams(path: path)
        mode.connections = connections
        mode.events = events
        mode.seconds = seconds
        let kind = RequestKind(method: method, path: path, bodyBytes: 0)
        let mix = RequestMix(kinds: [kind], target: target, fields: ["Accept: text/event-stream"] + self.target.fields)
        try printLine(await mode.run(target: target, mix: mix))
    }
}

struct Download: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "One large answer, with its checksum.")
    @OptionGroup var target: TargetOptions
    @Option var path: String
    @Option(help: "Expected length; 0 for any.") var bytes = 0
    @Option var seconds = 120.0

    func run() async throws {
        try Bounds.check(seconds: seconds)
        var mode = Transfer(.download, path: path, bytes: bytes)
        mode.fields = target.fields
        mode.seconds = seconds
        try printLine(await mode.run(target: target.parsed()))
    }
}

struct Upload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "One large request, with its checksum.")
    @OptionGroup var target: TargetOptions
    @Option var path: String
    @Option var bytes: Int
    @Option var seconds = 120.0

    func run() async throws {
        try Bounds.check(seconds: seconds)
        try Bounds.check(count: bytes, atMost: 16 << 30, of: "bytes")
        var mode = Transfer(.upload, path: path, bytes: bytes)
        mode.fields = target.fields
        mode.seconds = seconds
        try printLine(await mode.run(target: target.parsed()))
    }
}
