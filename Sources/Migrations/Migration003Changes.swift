extension Migration {
    /// What operators did. An older program does not look at it, and leaves the settings that it does not know alone.
    static let changes = Migration(
        number: 3,
        name: "changes",
        oldestProgram: 1,
        sql: """
            CREATE TABLE changes (
                id INTEGER PRIMARY KEY,        -- in the order in which they were made
                at INTEGER NOT NULL,           -- ms since 1970
                action TEXT NOT NULL,          -- hold_timeout, max_concurrency, pause, resume, drain, undrain, reset, cancel, replay, …
                subject TEXT,                  -- a route's id, a pod's, a request's, a job's; NULL for the gateway as a whole
                before TEXT,                   -- an operator's value, NULL for none
                after TEXT,
                client TEXT NOT NULL,          -- the address that the call came from
                author TEXT NOT NULL           -- the token's name: admin, read, session, none
            ) STRICT;
            """
    )
}
