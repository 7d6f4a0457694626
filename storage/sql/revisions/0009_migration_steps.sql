-- What each step of a migration has done since it began, so that people see it move.

CREATE TABLE migration_steps (
    migration_id uuid NOT NULL REFERENCES migrations,
    step text NOT NULL CHECK (step IN ('inventory', 'copy', 'verify')),
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Of the last news.
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    items bigint NOT NULL DEFAULT 0,
    files bigint NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL DEFAULT 0,
    -- Items that went into quarantine, or in which something differs.
    troubled bigint NOT NULL DEFAULT 0,
    -- What there is to do; NULL where nobody knows yet.
    all_items bigint,
    all_files bigint,
    all_bytes bigint,
    PRIMARY KEY (migration_id, step)
);

ALTER TABLE migration_steps ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON migration_steps TO agentruns_operator USING (true);
REVOKE ALL ON migration_steps FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON migration_steps TO agentruns_operator;
