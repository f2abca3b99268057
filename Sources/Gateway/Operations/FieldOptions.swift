import ArgumentParser
import Core

/// Header fields to send. No flag takes a secret: every user of a machine can read other people's flags.
struct FieldOptions: ParsableArguments {
    @Option(
        name: .customLong("header"),
        help: ArgumentHelp(
            "A field in place of the request's, 'Name: value'; may be repeated. No credentials.",
            valueName: "FIELD"
        )
    )
    var fields: [String] = []

    @Option(
        name: .customLong("header-file"),
        help: ArgumentHelp(
            "A file with such fields, one a line: for credentials, which are not kept.",
            valueName: "FILE"
        ),
        completion: .file()
    )
    var file: String?

    /// By name; nil where there are none.
    func read() throws(GatewayError) -> [String: String]? {
        var all: [String: String] = [:]
        for field in fields {
            let (name, value) = try Self.parse(field, "--header")
            let isCredential = name.utf8.withContiguousStorageIfAvailable {
                Redaction().isCredential(UnsafeRawBufferPointer($0))
            }
            guard isCredential != true else {
                throw GatewayError(.usage, "--header: no flag takes a secret; put \(name) into a file: --header-file")
            }
            all[name] = value
        }
        if let file {
            let text: String
            do {
                text = try TextFile.read(file)
            } catch {
                throw GatewayError(.usage, "--header-file: \(error)")
            }
            for line in text.split(whereSeparator: \.isNewline) where !line.trimmed.isEmpty {
                let (name, value) = try Self.parse(String(line), "--header-file")
                all[name] = value
            }
        }
        return all.isEmpty ? nil : all
    }

    private static func parse(_ field: String, _ flag: String) throws(GatewayError) -> (String, String) {
        let parts = field.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].trimmed.isEmpty else {
            throw GatewayError(.usage, "\(flag): a field is written 'Name: value'")
        }
        return (parts[0].trimmed, parts[1].trimmed)
    }
}
