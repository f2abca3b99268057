import Admin
import ArgumentParser
import Foundation
import Glibc
import NIOConcurrencyHelpers

/// Takes a copy of the database away.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write a consistent copy of the running gateway's database to a file.",
        discussion: """
            The gateway makes it in small steps beside its traffic, then sends it. The file is there whole or not at all, and only you may \
            read it. It opens with sqlite3, and as the database of a gateway.
            """
    )

    @Argument(help: ArgumentHelp("The file to make.", valueName: "FILE"), completion: .file())
    var file: String

    @Flag(name: .long, help: "Replace a file that is there.") var force = false
    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard file != "-", !file.isEmpty else {
            throw ValidationError(
                "\(quoted(file)) is no file: a backup is there whole or not at all, which a pipe cannot be"
            )
        }
    }

    func run() async throws {
        try await reporting {
            let gateway = try options.fleet().one(for: "backup")
            guard force || access(file, F_OK) != 0 else {
                throw GatewayError(.usage, "\(quoted(file)) is there already; --force replaces it")
            }
            let copy = try NewFile(file)
            do {
                try await download(gateway, to: copy)
                try copy.finish(replacing: force)
            } catch {
                copy.discard()
                throw error
            }
            let report = Report(file: file, bytes: copy.count)
            let json = String(decoding: try JSON.encoder.encode(report), as: UTF8.self)
            StandardStream.output.write(
                options.json ? JSONLine.text(json, of: nil) : "\(file): \(ShownValue.bytes(report.bytes)) written\n"
            )
        }
    }

    private struct Report: Encodable {
        var file: String
        var bytes: Int
    }

    private func download(_ gateway: AdminClient, to copy: NewFile) async throws(GatewayError) {
        let isWatched = Terminal.current.width != nil && !options.json
        let told = NIOLockedValueBox(ContinuousClock.now)
        do {
            try await gateway.download("/admin/api/backup") { bytes in
                let isDue = told.withLockedValue { last in
                    guard isWatched, last.duration(to: .now) > .milliseconds(200) else { return false }
                    last = .now
                    return true
                }
                if isDue { StandardStream.error.write(Terminal.lineStart + ShownValue.bytes(copy.count)) }
                return copy.write(bytes)
            }
        } catch {
            throw copy.error ?? error
        }
        if isWatched { StandardStream.error.write(Terminal.lineStart) }
    }
}
