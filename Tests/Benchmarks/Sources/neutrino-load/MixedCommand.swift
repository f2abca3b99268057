import ArgumentParser
import Foundation
import Load

struct Mixed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A number of requests from a number of clients, each with an id, and one JSON line for each answer."
    )
    @OptionGroup var target: TargetOptions
    @OptionGroup var mix: MixOptions
    @Option var requests = 3_000
    @Option var clients = 64
    @Option(help: "No request is begun after this.") var seconds = 60.0
    @Option(help: "What the ids begin with.") var prefix = "load"
    @Option(help: "Of the order of the mix.") var seed: UInt64 = 1
    @Option(help: "File for the lines.") var output: String

    func validate() throws {
        try Bounds.check(seconds: seconds)
        try Bounds.check(count: clients, atMost: 10_000, of: "clients")
        try Bounds.check(count: requests, atMost: 5_000_000, of: "requests")
    }

    func run() async throws {
        DescriptorLimit.raise()
        let target = try self.target.parsed()
        var mode = MixedLoad()
        mode.requests = requests
        mode.clients = clients
        mode.seconds = seconds
        mode.prefix = prefix
        mode.seed = seed
        guard let stream = fopen(output, "w") else { throw ValidationError("\(output) cannot be written") }
        let file = RecordFile(stream)
        let mix = RequestMix(kinds: self.mix.kinds, target: target, fields: self.target.fields)
        let summary = try await mode.run(target: target, mix: mix) { record in file.write(record) }
        file.close()
        try printLine(summary)
    }
}

/// The file of answers, one JSON object a line.
private final class RecordFile: @unchecked Sendable {
    // `@unchecked`: written by the one thread that runs the load, closed after it has ended.
    private let stream: UnsafeMutablePointer<FILE>
    private let encoder = JSONEncoder()

    init(_ stream: UnsafeMutablePointer<FILE>) {
        self.stream = stream
        encoder.outputFormatting = [.withoutEscapingSlashes]
    }

    func write(_ record: AnswerRecord) {
        guard var line = try? encoder.encode(record) else { return }
        line.append(UInt8(ascii: "\n"))
        _ = line.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, stream) }
    }

    func close() { fclose(stream) }
}
