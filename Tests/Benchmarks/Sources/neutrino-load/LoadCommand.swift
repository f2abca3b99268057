import ArgumentParser
import Foundation
import Load

/// The load generator: an HTTP/1.1 client for measuring, lean enough to leave a small machine to what it measures.
@main
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neutrino-load",
        abstract: "Sends bounded load to this machine and prints what came back as one JSON object.",
        subcommands: [
            Saturate.self, Open.self, Hold.self, Mixed.self, Sse.self, Download.self, Upload.self,
        ]
    )
}

/// What every mode needs to know.
struct TargetOptions: ParsableArguments {
    @Argument(help: "HOST:PORT on loopback.")
    var target: String

    @Option(name: .customLong("header"), help: "A field line for every request, 'Name: value'; may be repeated.")
    var fields: [String] = []

    func parsed() throws -> Target { try Target(target) }
}

/// What is sent.
struct MixOptions: ParsableArguments {
    @Option(
        name: .customLong("request"),
        help: "WEIGHT,METHOD,PATH[,BODY BYTES]; may be repeated. Without any: POST / with 493 bytes.",
        transform: { text in
            guard let kind = RequestKind(text) else {
                throw ValidationError("\(text) is not WEIGHT,METHOD,PATH[,BYTES]")
            }
            return kind
        }
    )
    var kinds: [RequestKind] = []
}

/// Bounds that no run may pass, whatever it is asked for.
enum Bounds {
    static func check(seconds: Double) throws {
        guard seconds > 0, seconds <= 900 else { throw ValidationError("a run lasts up to 900 seconds") }
    }

    static func check(count: Int, atMost most: Int, of what: String) throws {
        guard count > 0, count <= most else { throw ValidationError("\(what): 1 to \(most)") }
    }
}

/// Prints one JSON object on a line of its own.
func printLine(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var line = try encoder.encode(value)
    line.append(UInt8(ascii: "\n"))
    FileHandle.standardOutput.write(line)
}
