-- Folders of old runs on their way into the stores: what was found, and what became of it.

CREATE TABLE migrations (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    agent_id text NOT NULL,
    -- Of times that were written down without one.
    timezone text NOT NULL,
    -- The one format whose runs are imported; everything else is archived. NULL means all.
    only_format text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    inventoried_at timestamptz,
    copied_at timestamptz,
    verified_at timestamptz,
    deeply_verified_at timestamptz,
    cutover_at timestamptz,
    cutover_by text,
    manifest_sha256 text,
    UNIQUE (source, agent_id)
);

-- One trajectory, or what lies loose in one folder: the unit that is copied and verified.
CREATE TABLE migration_items (
    id uuid PRIMARY KEY,
    migration_id uuid NOT NULL REFERENCES migrations,
    -- Below the source, as the bytes that the file system has; '' is the source itself.
    path bytea NOT NULL,
    format text,
    files int NOT NULL,
    size_bytes bigint NOT NULL,
    -- Of the names, sizes and times of its files: another one means that there is news.
    fingerprint bytea NOT NULL,
    copied_fingerprint bytea,
    status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'imported', 'archived', 'quarantined')),
    reason text,
    -- Parts that could not be read, listed in migration_problems.
    problems int NOT NULL DEFAULT 0,
    accepted_by text,
    task_ids uuid [] NOT NULL DEFAULT '{}',
    archive_path text,
    counts jsonb NOT NULL DEFAULT '{}',
    copied_at timestamptz,
    verified_at timestamptz,
    deeply_verified_at timestamptz,
    gone_at timestamptz
);

CREATE INDEX migration_items_in_order ON migration_items (migration_id, path, id);
CREATE INDEX migration_items_to_copy ON migration_items (migration_id, path, id)
WHERE status = 'pending' AND gone_at IS NULL;
CREATE INDEX migration_items_in_quarantine ON migration_items (migration_id, path, id)
WHERE status = 'quarantined';
CREATE INDEX migration_items_of_task ON migration_items USING gin (task_ids);

-- Every path below the source, also what is never read.
CREATE TABLE migration_files (
    migration_id uuid NOT NULL REFERENCES migrations,
    path bytea NOT NULL,
    -- Of the same statement as its item, so that nothing has to look it up a million times.
    item_id uuid,
    size_bytes bigint NOT NULL,
    modified_ns bigint NOT NULL,
    decision text NOT NULL CHECK (decision IN ('import', 'archive', 'ignore')),
    reason text,
    status text NOT NULL DEFAULT 'listed'
    CHECK (status IN ('listed', 'imported', 'archived', 'quarantined', 'ignored')),
    sha256 text,
    gone_at timestamptz,
    PRIMARY KEY (migration_id, path)
);

CREATE INDEX migration_files_of_item ON migration_files (item_id, path);

-- What could not be read of an item whose rest was.
CREATE TABLE migration_problems (
    item_id uuid NOT NULL REFERENCES migration_items,
    number int NOT NULL,
    path text NOT NULL,
    byte_offset bigint,
    reason text NOT NULL,
    PRIMARY KEY (item_id, number)
);

-- What a verification found that is not as it should be; the next one replaces it.
CREATE TABLE migration_differences (
    item_id uuid NOT NULL REFERENCES migration_items,
    number int NOT NULL,
    path text NOT NULL,
    difference text NOT NULL,
    PRIMARY KEY (item_id, number)
);

-- Migrating is the operator's work, and nobody else's business.
ALTER TABLE migrations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE migration_items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE migration_files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE migration_problems ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE migration_differences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON migrations TO agentruns_operator USING (true);
CREATE POLICY all_rows ON migration_items TO agentruns_operator USING (true);
CREATE POLICY all_rows ON migration_files TO agentruns_operator USING (true);
CREATE POLICY all_rows ON migration_problems TO agentruns_operator USING (true);
CREATE POLICY all_rows ON migration_differences TO agentruns_operator USING (true);
REVOKE ALL ON migrations, migration_items, migration_files, migration_problems, migration_differences
FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON migrations, migration_items, migration_files TO agentruns_operator;
GRANT SELECT, INSERT, DELETE ON migration_problems, migration_differences TO agentruns_operator;
