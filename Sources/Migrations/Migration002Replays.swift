extension Migration {
    /// Bulk replays, and which of them made a request.
    static let replays = Migration(
        number: 2,
        name: "replays",
        // An older program writes rows without the new column, and lets the jobs be.
        oldestProgram: 1,
        sql: """
            CREATE TABLE replay_jobs (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                created_at INTEGER NOT NULL,   -- ms since 1970
                filter TEXT NOT NULL,          -- JSON
                rate REAL NOT NULL,            -- rows a second
                "limit" INTEGER NOT NULL,      -- rows at most
                confirmed INTEGER NOT NULL,    -- 1: also what may have run and is not idempotent
                supplied TEXT NOT NULL,        -- names of the fields that were supplied, one a line; values are never written
                upper INTEGER NOT NULL,        -- the largest request when it was made; it replays nothing above
                matching INTEGER NOT NULL,
                complete INTEGER NOT NULL,     -- 0: matching is a lower bound
                state INTEGER NOT NULL DEFAULT 0,  -- 0 running, 1 paused, 2 finished, 3 cancelled
                detail TEXT,                   -- why it paused by itself
                cursor INTEGER NOT NULL DEFAULT 0, -- every source up to here has its row or was skipped; saved about once a second
                made INTEGER NOT NULL DEFAULT 0,
                skipped TEXT NOT NULL DEFAULT '{}', -- JSON: how many by reason
                results TEXT,                  -- JSON: what became of its rows, once all have ended
                ended_at INTEGER
            ) STRICT;

            ALTER TABLE requests ADD COLUMN replay_job INTEGER; -- NULL for live traffic
            CREATE INDEX requests_jobs ON requests (replay_job) WHERE replay_job IS NOT NULL;
            """
    )
}
