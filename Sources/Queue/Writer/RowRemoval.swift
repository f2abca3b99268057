/// Removes ended requests with all that belongs to them. Used on the writer's thread, in a transaction of its caller's.
final class RowRemoval {
    /// What was removed.
    struct Removed: Sendable {
        var requests = 0
        /// Files that no row names any more; to be removed when this is committed.
        var files: [String] = []
    }

    private let file: SQLiteStatement
    private let fileElsewhere: SQLiteStatement
    /// A stored list: the optimizer of Swift 6.3.1 crashes on an array literal of them in a throwing loop.
    private let dropBodies: [SQLiteStatement]
    private let dropRows: [SQLiteStatement]

    init(_ connection: SQLiteConnection) throws(SQLiteFailure) {
        file = try connection.prepare("SELECT file FROM bodies WHERE request = ?1 AND file IS NOT NULL")
        fileElsewhere = try connection.prepare("SELECT 1 FROM bodies WHERE file = ?1")
        let dropBody = try connection.prepare("DELETE FROM bodies WHERE request = ?1")
        let dropInlineBody = try connection.prepare(
            "UPDATE requests SET body = NULL WHERE id = ?1 AND body IS NOT NULL"
        )
        let dropAnswerBody = try connection.prepare(
            "UPDATE outcomes SET answer_body = NULL WHERE request = ?1 AND answer_body IS NOT NULL"
        )
        dropBodies = [dropBody, dropInlineBody, dropAnswerBody]
        var dropRows: [SQLiteStatement] = []
        for (table, key) in [("attempts", "request"), ("requests", "id"), ("outcomes", "request")] {
            dropRows.append(try connection.prepare("DELETE FROM \(table) WHERE \(key) = ?1"))
        }
        self.dropRows = dropRows
    }

    func removeBody(_ id: Int64, _ removed: inout Removed) throws {
        var name: String?
        file.bind(1, id)
        if try file.step() { name = file.text(0) }
        file.reset()
        for statement in dropBodies {
            statement.bind(1, id)
            try statement.run()
        }
        guard let name else { return }
        // A replay has the file of the request that it repeats.
        fileElsewhere.bind(1, name)
        if try !fileElsewhere.step() { removed.files.append(name) }
        fileElsewhere.reset()
    }

    func remove(_ id: Int64, _ removed: inout Removed) throws {
        try removeBody(id, &removed)
        for statement in dropRows {
            statement.bind(1, id)
            try statement.run()
        }
        removed.requests += 1
    }
}
