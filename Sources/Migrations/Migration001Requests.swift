extension Migration {
    /// Requests, their dispatches and outcomes; bodies; settings.
    ///
    /// What is written while requests pass is append only: one row in `requests` each, one in `attempts` for each dispatch but an
    /// immediate first one, one in `outcomes` at the end. A state is never updated, it follows from which rows there are. There is
    /// no index on `requests` but for replays, which are few.
    static let requests = Migration(
        number: 1,
        name: "requests",
        oldestProgram: 1,
        sql: """
            CREATE TABLE requests (
                id INTEGER PRIMARY KEY,        -- 41 bits of ms since 2024-01-01, 10 of node, 12 of sequence; in commit order
                accepted_at INTEGER NOT NULL,  -- ms since 1970
                method TEXT NOT NULL,
                target TEXT NOT NULL,          -- path and query
                route TEXT NOT NULL,
                cpus INTEGER NOT NULL,         -- needs, in thousandths
                gpus INTEGER NOT NULL,
                memory INTEGER NOT NULL,
                priority INTEGER NOT NULL,     -- 0 a client waits, 1 a replay
                hold_limit INTEGER,            -- Prefer: wait, in ms
                replay_of INTEGER,             -- the request that this one repeats
                client TEXT NOT NULL,
                pod TEXT,                      -- dispatch number 1, where the insert carried it
                body_bytes INTEGER NOT NULL,
                withheld TEXT,                 -- names of fields and ?parameters whose values were not kept, one a line
                fields BLOB NOT NULL,          -- field lines, each ended by CRLF
                body BLOB                      -- up to 4 KiB; a larger one is in bodies
            ) STRICT;
            CREATE INDEX requests_replays ON requests (replay_of) WHERE replay_of IS NOT NULL;

            CREATE TABLE bodies (
                request INTEGER PRIMARY KEY,
                file TEXT,                     -- a file's name in the folder beside the database, or
                body BLOB                      -- the body itself
            ) STRICT;
            CREATE INDEX bodies_files ON bodies (file) WHERE file IS NOT NULL;

            CREATE TABLE attempts (
                request INTEGER NOT NULL,
                number INTEGER NOT NULL,       -- from 1
                at INTEGER NOT NULL,           -- ms since 1970
                pod TEXT NOT NULL,
                PRIMARY KEY (request, number)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE outcomes (
                request INTEGER PRIMARY KEY,   -- refuses a second end
                state INTEGER NOT NULL,        -- 2 completed, 3 failed, 4 expired, 5 cancelled, 6 abandoned, 7 interrupted, 8 rejected
                reason TEXT NOT NULL,
                detail TEXT,
                status INTEGER,                -- what the client was sent
                pod TEXT,                      -- the last one
                attempts INTEGER NOT NULL,
                ended_at INTEGER NOT NULL,     -- ms since 1970
                hold INTEGER,                  -- us from the commit to the last dispatch, or to the end without one
                first_byte INTEGER,            -- us from the last dispatch to the pod's head
                upstream INTEGER,              -- us from the last dispatch to the answer's end
                total INTEGER,                 -- us from the request's last byte to its end
                answer_bytes INTEGER NOT NULL,
                answer_status INTEGER,         -- the pod's
                answer_withheld TEXT,
                answer_fields BLOB,
                answer_body BLOB               -- its first part
            ) STRICT;
            CREATE INDEX outcomes_not_completed ON outcomes (state, request) WHERE state <> 2;

            CREATE TABLE settings (
                name TEXT NOT NULL,            -- hold_timeout, in us
                subject TEXT NOT NULL,         -- a route's id
                value INTEGER NOT NULL,
                changed_at INTEGER NOT NULL,   -- ms since 1970
                PRIMARY KEY (name, subject)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE marks (
                name TEXT PRIMARY KEY,         -- low_water: no request below this id lacks its outcome
                value INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;

            -- The documented way to read the database from outside.
            CREATE VIEW request_log AS
            SELECT
                r.id,
                \(crockford("r.id")) AS request_id,
                CASE o.state
                    WHEN 2 THEN 'completed' WHEN 3 THEN 'failed' WHEN 4 THEN 'expired' WHEN 5 THEN 'cancelled'
                    WHEN 6 THEN 'abandoned' WHEN 7 THEN 'interrupted' WHEN 8 THEN 'rejected'
                    ELSE CASE WHEN r.pod IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request = r.id)
                        THEN 'dispatched' ELSE 'queued' END
                END AS state,
                o.reason,
                r.method,
                CASE instr(r.target, '?') WHEN 0 THEN r.target ELSE substr(r.target, 1, instr(r.target, '?') - 1) END AS path,
                r.target,
                r.route,
                o.status,
                coalesce(o.pod, (SELECT a.pod FROM attempts a WHERE a.request = r.id ORDER BY a.number DESC LIMIT 1), r.pod) AS pod,
                o.attempts,
                strftime('%Y-%m-%dT%H:%M:%f', r.accepted_at / 1000.0, 'unixepoch') || 'Z' AS accepted_at,
                strftime('%Y-%m-%dT%H:%M:%f', o.ended_at / 1000.0, 'unixepoch') || 'Z' AS ended_at,
                o.hold / 1000.0 AS hold_ms,
                o.first_byte / 1000.0 AS first_byte_ms,
                o.upstream / 1000.0 AS upstream_ms,
                o.total / 1000.0 AS total_ms,
                r.cpus / 1000.0 AS cpus,
                r.gpus / 1000.0 AS gpus,
                r.memory / 1000.0 AS memory_gb,
                r.client,
                r.body_bytes,
                o.answer_bytes,
                CASE WHEN r.replay_of IS NOT NULL THEN \(crockford("r.replay_of")) END AS replay_of,
                o.detail
            FROM requests r LEFT JOIN outcomes o ON o.request = r.id;
            """
    )

    /// SQL for an id as clients see it: 13 characters of Crockford base32.
    private static func crockford(_ column: String) -> String {
        stride(from: 60, through: 0, by: -5)
            .map { "substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((\(column) >> \($0)) & 31) + 1, 1)" }
            .joined(separator: "\n                    || ")
    }
}
