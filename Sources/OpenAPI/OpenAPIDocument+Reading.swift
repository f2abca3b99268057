import Core
import Glibc

extension OpenAPIDocument {
    /// Reads the document in a file: JSON where its name ends in `.json`, YAML where in `.yaml` or `.yml`, else what it looks like.
    package static func read(
        path: String,
        limits: DocumentLimits = DocumentLimits()
    ) throws(OpenAPIError) -> OpenAPIDocument {
        try parse(try contents(of: path, limit: limits.bytes), file: path, limits: limits)
    }

    /// Reads a document from its bytes. `file` is what errors call it, and says by its ending what it is.
    package static func parse(
        _ bytes: [UInt8],
        file: String,
        limits: DocumentLimits = DocumentLimits()
    ) throws(OpenAPIError) -> OpenAPIDocument {
        guard bytes.count <= limits.bytes else { throw tooLarge(file, limits.bytes) }
        // A byte order mark is no part of the text.
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        guard let text = String(validating: content, as: UTF8.self) else {
            throw OpenAPIError(.syntax, file: file, message: "it is not UTF-8")
        }
        let tree: DocumentNode
        do throws(DocumentProblem) {
            tree = try DocumentNode.read(text, file: file, limits: limits)
        } catch {
            throw OpenAPIError(error.code, file: file, line: error.line, column: error.column, message: error.message)
        }
        var reader = DocumentReader(file: file, root: tree)
        return try reader.read()
    }

    private static func contents(of path: String, limit: Int) throws(OpenAPIError) -> [UInt8] {
        func unreadable() -> OpenAPIError {
            OpenAPIError(.unreadable, file: path, message: "it cannot be read: \(String(cString: strerror(errno)))")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        let chunk = 64 * 1024
        while true {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: chunk))
            var count = 0
            repeat {
                count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + start, chunk) }
            } while count < 0 && errno == EINTR
            guard count >= 0 else { throw unreadable() }
            bytes.removeLast(chunk - count)
            guard count > 0 else { return bytes }
            guard bytes.count <= limit else { throw tooLarge(path, limit) }
        }
    }

    private static func tooLarge(_ file: String, _ limit: Int) -> OpenAPIError {
        OpenAPIError(.tooLarge, file: file, message: "it is larger than \(limit) bytes")
    }
}

extension DocumentNode {
    /// Reads a text: JSON where the file's name ends in `.json`, YAML where in `.yaml` or `.yml`, else what it looks like.
    package static func read(
        _ text: String,
        file: String,
        limits: DocumentLimits = DocumentLimits()
    ) throws(DocumentProblem) -> DocumentNode {
        let name = file.lowercased()
        if name.hasSuffix(".json") { return try JSONReader.read(text, limits: limits) }
        guard text.utf8.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else {
            return try YAMLReader.read(text, limits: limits)
        }
        // `{` begins JSON, or YAML in its flow style.
        let isYAML = name.hasSuffix(".yaml") || name.hasSuffix(".yml")
        do throws(DocumentProblem) {
            return try JSONReader.read(text, limits: limits)
        } catch let jsonProblem {
            do throws(DocumentProblem) {
                return try YAMLReader.read(text, limits: limits)
            } catch {
                throw isYAML ? error : jsonProblem
            }
        }
    }

    /// Reads JSON.
    package static func json(
        _ text: String,
        limits: DocumentLimits = DocumentLimits()
    ) throws(DocumentProblem) -> DocumentNode { try JSONReader.read(text, limits: limits) }
}
