import Core

/// What the writer has of one open database: its connection and all that is prepared on it. Closed by letting go of it.
final class WriterSession {
    let connection: SQLiteConnection
    let statements: RowStatements
    let retention: Retention
    let begin: SQLiteStatement
    let commit: SQLiteStatement
    let saveMark: SQLiteStatement

    init(
        _ connection: SQLiteConnection,
        configuration: QueueConfiguration,
        spool: any SpooledBytes,
        disk: DatabaseDisk
    ) throws(SQLiteFailure) {
        self.connection = connection
        let redaction = Redaction(
            fields: configuration.redactedFields,
            queryParameters: configuration.redactedQuery,
            keepsCredentials: configuration.keepCredentials
        )
        statements = try RowStatements(
            connection,
            redaction: RowRedaction(redaction),
            inlineBodyBytes: configuration.inlineBodyBytes
        )
        retention = try Retention(
            connection,
            limits: Retention.Limits(
                rowAge: configuration.logRetention,
                bodyAge: configuration.logBodyRetention,
                databaseBytes: configuration.databaseMaxBytes,
                diskReserve: disk.shares.reserve
            ),
            spool: spool,
            room: { disk.room }
        )
        begin = try connection.prepare("BEGIN IMMEDIATE")
        commit = try connection.prepare("COMMIT")
        saveMark = try connection.prepare("INSERT OR REPLACE INTO marks (name, value) VALUES ('\(Recovery.mark)', ?1)")
    }
}
