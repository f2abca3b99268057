import Core
import Foundation
import GRDB
import NIOCore

/// A request's own row, read back.
struct StoredRequest {
    var method: String
    var target: ByteBuffer
    var fields: HeaderFields
    var withheld: [String]
    var body: LogBody
    var needs: ResourceVector
    var holdLimit: TimeAmount?
    var firstPod: String?

    static func fetch(_ db: Database, id: RequestID, spool: BodySpool) throws -> StoredRequest? {
        let sql = """
            SELECT r.method, CAST(r.target AS BLOB) AS target, r.fields, r.withheld, r.cpus, r.gpus, r.memory, r.hold_limit, r.pod,
                r.body_bytes, coalesce(r.body, b.body) AS body, b.file
            FROM requests r LEFT JOIN bodies b ON b.request = r.id
            WHERE r.id = ?
            """
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [id.rawValue]) else { return nil }
        let body: LogBody =
            if row["body_bytes"] == 0 {
                .none
            } else if let bytes = row["body"] as Data? {
                .kept(ByteBuffer(bytes: bytes))
            } else if let name = row["file"] as String?, let file = spool.body(named: name) {
                .spooled(file)
            } else {
                .removed
            }
        return StoredRequest(
            method: row["method"],
            target: ByteBuffer(bytes: row["target"] as Data),
            fields: HeaderFields(stored: row["fields"]),
            withheld: (row["withheld"] as String?).withheldNames,
            body: body,
            needs: ResourceVector(cpus: row["cpus"], gpus: row["gpus"], memory: row["memory"]),
            holdLimit: (row["hold_limit"] as Int64?).map { .milliseconds($0) },
            firstPod: row["pod"]
        )
    }
}

extension ReplaySource {
    static func fetch(_ db: Database, id: RequestID, spool: BodySpool) throws -> ReplaySource? {
        guard let summary = try LogSummary.fetch(db, id: id.rawValue),
            let request = try StoredRequest.fetch(db, id: id, spool: spool),
            let method = RequestMethod(rawValue: request.method)
        else { return nil }
        let (body, isMissing): (RequestBody, Bool) =
            switch request.body {
            case .none: (.none, false)
            case .kept(let bytes): (.memory(bytes), false)
            case .spooled(let file): (.spooled(file), false)
            case .removed: (.none, true)
            }
        return ReplaySource(
            id: id,
            state: summary.state,
            method: method,
            target: request.target,
            fields: request.fields,
            body: body,
            routeID: summary.routeID,
            needs: request.needs,
            withheld: request.withheld,
            isBodyMissing: isMissing,
            holdLimit: request.holdLimit,
            clientAddress: summary.clientAddress,
            replayOf: summary.replayOf,
            replayJob: summary.replayJob
        )
    }
}

extension String? {
    /// The names in a column of them, one a line.
    var withheldNames: [String] {
        self?.split(separator: "\n").map(String.init) ?? []
    }
}

extension HeaderFields {
    /// Reads back what the journal wrote: `Name: value CRLF` for each line, or as the client wrote it, with any white space around
    /// the value (RFC 9112 §5).
    init(stored bytes: Data) {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var lines: [Line] = []
        let block = ByteBuffer(bytes: bytes)
        block.withUnsafeReadableBytes { bytes in
            var start = 0
            while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\r")) {
                if let colon = bytes[start..<end].firstIndex(of: UInt8(ascii: ":")) {
                    var (from, to) = (colon + 1, end)
                    while from < to, isBlank(bytes[from]) { from += 1 }
                    while from < to, isBlank(bytes[to - 1]) { to -= 1 }
                    lines.append(
                        Line(nameStart: start, nameLength: colon - start, valueStart: from, valueLength: to - from)
                    )
                }
                start = min(end + 2, bytes.count)
            }
        }
        self.init(adopting: block, lines: lines)
    }
}
