import Core
import Queue

/// The requests' database: where it is, how it is written, what it may hold and for how long.
extension SettingCatalogue {
    static let queue: [SettingDefinition] = [
        .init("database_path", .queue, \.databasePath, .path, "The SQLite database; made where there is none."),
        .init(
            "queue_synchronous",
            .queue,
            \.queueSynchronous,
            .word,
            "`normal` survives the end of the process, `full` also a loss of power, at the price of a flush for each commit."
        ),
        .init(
            "max_queue_depth",
            .queue,
            \.maxQueueDepth,
            .integer(in: 1...1_000_000),
            "Clients' requests that may wait at once; more are answered 429. Replays take none of these places."
        ),
        .init(
            "max_queue_bytes",
            .queue,
            \.maxQueueBytes,
            .size(in: (1 << 20)...(1 << 44)),
            "Bodies of all requests that wait; more are answered 429."
        ),
        .init(
            "log_retention",
            .queue,
            \.logRetention,
            .duration(in: .seconds(60)...years),
            "How long the rows of ended requests are kept."
        ),
        .init(
            "log_body_retention",
            .queue,
            \.logBodyRetention,
            .duration(in: .zero...years),
            "How long their bodies are kept."
        ),
        .init(
            "log_response_bytes",
            .queue,
            \.logResponseBytes,
            .size(in: 0...(1 << 20)),
            "How much of an answer's body is kept; of one that failed, at least 64 KiB."
        ),
        .init(
            "database_max_bytes",
            .queue,
            \.databaseMaxBytes,
            .size(in: (16 << 20)...(1 << 44)),
            "The database's size; beyond it the oldest rows go first."
        ),
        .init(
            "redact_headers",
            .queue,
            \.redactHeaders,
            SettingType.fieldName.list("header fields' names", maximum: 100),
            "Fields whose values are never written to the database, besides the well-known credentials."
        ),
        .init(
            "redact_query",
            .queue,
            \.redactQuery,
            SettingType.token("NAME", accepted: "a query parameter's name").list(
                "query parameters' names",
                maximum: 100
            ),
            "Query parameters whose values are never written to the database or the access log."
        ),
        .init(
            "keep_credentials",
            .queue,
            \.keepCredentials,
            .boolean,
            "Write credentials to the database too, so that requests which need them can be replayed."
        ),
        .init(
            "node_id",
            .queue,
            \.nodeID,
            .integer(in: 0...1023),
            "Keeps the request ids of several gateways apart."
        ),
    ]

    /// The longest that rows are kept.
    private static let years = Duration.seconds(3650 * 86_400)
}
