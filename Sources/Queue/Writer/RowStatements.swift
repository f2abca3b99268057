import Core
import NIOCore

/// The writer's statements, prepared once, and how a row's values get into them.
///
/// The small parts of a row are copied together into one buffer that is used again for each row; a body is bound where it lies.
final class RowStatements {
    private let redaction: RowRedaction
    private let inlineBodyBytes: Int

    private let insertRequestRow: SQLiteStatement
    private let insertBodyRow: SQLiteStatement
    private let insertAttempt: SQLiteStatement
    private let insertOutcome: SQLiteStatement
    private let insertOutcomeWhereRequest: SQLiteStatement
    private let selectRequest: SQLiteStatement
    private let selectFile: SQLiteStatement
    private let begin: SQLiteStatement
    private let release: SQLiteStatement
    private let rollback: SQLiteStatement

    private var scratch = ByteBuffer()
    private var withheld = ByteBuffer()

    init(_ connection: SQLiteConnection, redaction: RowRedaction, inlineBodyBytes: Int) throws(SQLiteFailure) {
        self.redaction = redaction
        self.inlineBodyBytes = inlineBodyBytes
        insertRequestRow = try connection.prepare(
            """
            INSERT INTO requests (id, accepted_at, method, target, route, cpus, gpus, memory, priority, hold_limit, replay_of, client,
                pod, body_bytes, withheld, fields, body, replay_job)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
            """
        )
        insertBodyRow = try connection.prepare("INSERT INTO bodies (request, file, body) VALUES (?1, ?2, ?3)")
        insertAttempt = try connection.prepare(
            "INSERT INTO attempts (request, number, at, pod) VALUES (?1, ?2, ?3, ?4)"
        )
        let columns = """
            INSERT INTO outcomes (request, state, reason, detail, status, pod, attempts, ended_at, hold, first_byte, upstream, total,
                answer_bytes, answer_status, answer_withheld, answer_fields, answer_body)
            """
        let values = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17"
        insertOutcome = try connection.prepare("\(columns) VALUES (\(values))")
        insertOutcomeWhereRequest = try connection.prepare(
            "\(columns) SELECT \(values) WHERE EXISTS (SELECT 1 FROM requests WHERE id = ?1)"
        )
        selectRequest = try connection.prepare("SELECT 1 FROM requests WHERE id = ?1")
        selectFile = try connection.prepare("SELECT 1 FROM bodies WHERE file = ?1")
        begin = try connection.prepare("SAVEPOINT one_row")
        release = try connection.prepare("RELEASE one_row")
        rollback = try connection.prepare("ROLLBACK TO one_row")
    }

    // MARK: Rows

    /// A request, with its first dispatch where there is a pod, and its body.
    func insert(_ request: QueuedRequest, pod: Pod?, milliseconds: Int64) throws(SQLiteFailure) {
        guard request.body.byteCount > inlineBodyBytes || request.body.isSpooled else {
            return try insertRequest(request, pod: pod, milliseconds: milliseconds)
        }
        try together { () throws(SQLiteFailure) in
            try insertRequest(request, pod: pod, milliseconds: milliseconds)
            try insertBody(request)
        }
    }

    private func insertRequest(_ request: QueuedRequest, pod: Pod?, milliseconds: Int64) throws(SQLiteFailure) {
        let bodyBytes = request.body.byteCount
        clear()
        let target = part { redaction.write(target: request.target, into: &scratch, withheld: &withheld) }
        let fields = part { redaction.write(request.fields, into: &scratch, withheld: &withheld) }
        let route = part { _ = scratch.writeString(request.route.id) }
        let client = part { _ = scratch.writeString(request.clientAddress) }
        let method = part { _ = scratch.writeString(request.method.rawValue) }
        let podID = pod.map { pod in part { _ = scratch.writeString(pod.id) } }
        let names = takeWithheld()

        let statement = insertRequestRow
        statement.bind(1, request.id.rawValue)
        statement.bind(2, milliseconds)
        statement.bind(6, request.needs.cpus)
        statement.bind(7, request.needs.gpus)
        statement.bind(8, request.needs.memory)
        statement.bind(9, Int64(request.priority.rawValue))
        statement.bind(10, request.holdLimit.map { $0.nanoseconds / 1_000_000 })
        statement.bind(11, request.replayOf?.rawValue)
        statement.bind(14, Int64(bodyBytes))
        statement.bind(18, request.replayJob?.rawValue)
        try withScratch { (scratch) throws(SQLiteFailure) in
            statement.bind(3, unmovedText: scratch[method])
            statement.bind(4, unmovedText: scratch[target])
            statement.bind(5, unmovedText: scratch[route])
            statement.bind(12, unmovedText: scratch[client])
            statement.bindText(13, podID, of: scratch)
            statement.bindText(15, names, of: scratch)
            statement.bind(16, unmovedBlob: scratch[fields])
            if case .memory(let body) = request.body, bodyBytes > 0, bodyBytes <= inlineBodyBytes {
                try body.withBytes { (body) throws(SQLiteFailure) in
                    statement.bind(17, unmovedBlob: body)
                    try statement.run()
                }
            } else {
                statement.bindNull(17)
                try statement.run()
            }
        }
    }

    private func insertBody(_ request: QueuedRequest) throws(SQLiteFailure) {
        insertBodyRow.bind(1, request.id.rawValue)
        switch request.body {
        case .none:
            return
        case .memory(let body):
            insertBodyRow.bindNull(2)
            try body.withBytes { (body) throws(SQLiteFailure) in
                insertBodyRow.bind(3, unmovedBlob: body)
                try insertBodyRow.run()
            }
        case .spooled(let body):
            insertBodyRow.bind(2, body.name)
            insertBodyRow.bindNull(3)
            try insertBodyRow.run()
        }
    }

    /// A dispatch.
    func attempt(_ id: RequestID, number: Int, pod: Pod, milliseconds: Int64) throws(SQLiteFailure) {
        clear()
        let podID = part { _ = scratch.writeString(pod.id) }
        insertAttempt.bind(1, id.rawValue)
        insertAttempt.bind(2, Int64(number))
        insertAttempt.bind(3, milliseconds)
        try withScratch { (scratch) throws(SQLiteFailure) in
            insertAttempt.bind(4, unmovedText: scratch[podID])
            try insertAttempt.run()
        }
    }

    /// How a request ended.
    /// - Parameter isChecked: Whether the request's row may be missing; then nothing is written where it is.
    func end(_ outcome: Outcome, milliseconds: Int64, isChecked: Bool) throws(SQLiteFailure) {
        clear()
        let reason = part { _ = scratch.writeString(outcome.reason.rawValue) }
        let detail = outcome.detail.map { detail in part { _ = scratch.writeString(detail) } }
        let podID = outcome.podID.map { podID in part { _ = scratch.writeString(podID) } }
        let fields = outcome.answerHead.map { head in
            part { redaction.write(head.fields, into: &scratch, withheld: &withheld) }
        }
        let names = takeWithheld()

        let statement = isChecked ? insertOutcomeWhereRequest : insertOutcome
        statement.bind(1, outcome.id.rawValue)
        statement.bind(2, Int64(outcome.state.rawValue))
        statement.bind(5, outcome.status.map(Int64.init))
        statement.bind(7, Int64(outcome.attempts))
        statement.bind(8, milliseconds)
        statement.bind(9, outcome.hold.microseconds)
        statement.bind(10, outcome.firstByte?.microseconds)
        statement.bind(11, outcome.upstream?.microseconds)
        statement.bind(12, outcome.total.microseconds)
        statement.bind(13, Int64(outcome.answerBytes))
        statement.bind(14, outcome.answerHead.map { Int64($0.status) })
        try withScratch { (scratch) throws(SQLiteFailure) in
            statement.bind(3, unmovedText: scratch[reason])
            statement.bindText(4, detail, of: scratch)
            statement.bindText(6, podID, of: scratch)
            statement.bindText(15, names, of: scratch)
            if let fields { statement.bind(16, unmovedBlob: scratch[fields]) } else { statement.bindNull(16) }
            if let body = outcome.answerBody, body.readableBytes > 0 {
                try body.withBytes { (body) throws(SQLiteFailure) in
                    statement.bind(17, unmovedBlob: body)
                    try statement.run()
                }
            } else {
                statement.bindNull(17)
                try statement.run()
            }
        }
    }

    /// A request that was refused at the door: its row without body and fields, and its outcome.
    func reject(_ rejection: Rejection, id: RequestID, milliseconds: Int64) throws(SQLiteFailure) {
        try together { () throws(SQLiteFailure) in
            try insertRequest(rejection, id: id, milliseconds: milliseconds)
            let outcome = Outcome(
                id: id,
                state: .rejected,
                reason: rejection.reason,
                detail: rejection.detail,
                status: rejection.status,
                hold: .zero,
                total: .zero
            )
            try end(outcome, milliseconds: milliseconds, isChecked: false)
        }
    }

    private func insertRequest(_ rejection: Rejection, id: RequestID, milliseconds: Int64) throws(SQLiteFailure) {
        clear()
        let target = part { redaction.write(target: rejection.target, into: &scratch, withheld: &withheld) }
        let route = part { _ = scratch.writeString(rejection.routeID) }
        let client = part { _ = scratch.writeString(rejection.clientAddress) }
        let method = part { _ = scratch.writeString(rejection.method.rawValue) }
        let names = takeWithheld()
        let statement = insertRequestRow
        statement.bind(1, id.rawValue)
        statement.bind(2, milliseconds)
        for index: Int32 in [6, 7, 8, 9, 14] { statement.bind(index, 0) }
        for index: Int32 in [10, 11, 13, 17, 18] { statement.bindNull(index) }
        try withScratch { (scratch) throws(SQLiteFailure) in
            statement.bind(3, unmovedText: scratch[method])
            statement.bind(4, unmovedText: scratch[target])
            statement.bind(5, unmovedText: scratch[route])
            statement.bind(12, unmovedText: scratch[client])
            statement.bindText(15, names, of: scratch)
            statement.bind(16, unmovedBlob: UnsafeRawBufferPointer(start: nil, count: 0))
            try statement.run()
        }
    }

    // MARK: Questions

    func hasRow(_ id: RequestID) throws(SQLiteFailure) -> Bool {
        defer { selectRequest.reset() }
        selectRequest.bind(1, id.rawValue)
        return try selectRequest.step()
    }

    /// Whether a row names this file.
    func isNamed(file: String) throws(SQLiteFailure) -> Bool {
        defer { selectFile.reset() }
        selectFile.bind(1, file)
        return try selectFile.step()
    }
}

extension RowStatements {
    /// Writes several rows, or none where one of them is refused: the transaction goes on without them.
    private func together(_ body: () throws(SQLiteFailure) -> Void) throws(SQLiteFailure) {
        try begin.run()
        do throws(SQLiteFailure) {
            try body()
        } catch {
            // Where the whole transaction failed, its caller takes it back.
            if error.isConstraint {
                try rollback.run()
                try release.run()
            }
            throw error
        }
        try release.run()
    }

    private func clear() {
        scratch.clear()
        withheld.clear()
    }

    /// Where in the scratch buffer what `write` adds is.
    private func part(_ write: () -> Void) -> Range<Int> {
        let start = scratch.writerIndex
        write()
        return start..<scratch.writerIndex
    }

    private func takeWithheld() -> Range<Int>? {
        guard withheld.readableBytes > 0 else { return nil }
        return part { scratch.writeImmutableBuffer(withheld) }
    }

    private func withScratch(_ body: (UnsafeRawBufferPointer) throws(SQLiteFailure) -> Void) throws(SQLiteFailure) {
        try scratch.withBytes(body)
    }
}

extension SQLiteStatement {
    @inline(__always)
    fileprivate func bindText(_ index: Int32, _ part: Range<Int>?, of scratch: UnsafeRawBufferPointer) {
        if let part { bind(index, unmovedText: scratch[part]) } else { bindNull(index) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate subscript(part: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[part] as Slice<UnsafeRawBufferPointer>)
    }
}

extension ByteBuffer {
    /// `withUnsafeReadableBytes` for a body that throws what SQLite answers.
    @inline(__always)
    fileprivate func withBytes(_ body: (UnsafeRawBufferPointer) throws(SQLiteFailure) -> Void) throws(SQLiteFailure) {
        let result: Result<Void, SQLiteFailure> = withUnsafeReadableBytes { bytes in
            do throws(SQLiteFailure) {
                try body(bytes)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}

extension TimeAmount {
    fileprivate var microseconds: Int64 { nanoseconds / 1000 }
}

extension RequestBody {
    fileprivate var isSpooled: Bool {
        if case .spooled = self { true } else { false }
    }
}
