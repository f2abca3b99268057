import Foundation

/// `embed-page FOLDER OUTPUT`: writes the files of a folder into a Swift source as string literals. SwiftPM's own `.embedInCode` writes arrays
/// of bytes instead, which took 6 s to compile where this takes 0.1 s.
@main
struct EmbedPage {
    /// Around each literal; no file may hold `"""` followed by it.
    private static let fence = "####"

    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst().map { URL(filePath: $0) }
        guard arguments.count == 2 else { throw EmbedError(description: "usage: embed-page FOLDER OUTPUT") }
        let files = try FileManager.default.contentsOfDirectory(at: arguments[0], includingPropertiesForKeys: nil)
            .filter { !$0.lastPathComponent.hasPrefix(".") }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        var source = """
            /// The operators' page, as `embed-page` read it.
            enum PageFiles {
                static let all: [(name: String, text: StaticString)] = [

            """
        for file in files {
            source += try "(\"\(file.lastPathComponent)\", \(literal(of: file))),\n"
        }
        source += "    ]\n}\n"
        try source.write(to: arguments[1], atomically: true, encoding: .utf8)
    }

    private static func literal(of file: URL) throws -> String {
        let text = try String(contentsOf: file, encoding: .utf8)
        guard !text.contains("\"\"\"" + fence), !text.contains("\\" + fence), !text.contains("\r") else {
            throw EmbedError(description: "\(file.path): holds \"\"\"\(fence), \\\(fence) or a carriage return")
        }
        return "\(fence)\"\"\"\n\(text)\n\"\"\"\(fence)"
    }
}

private struct EmbedError: Error, CustomStringConvertible {
    let description: String
}
