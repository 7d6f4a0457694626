-- What the object store holds, beside what PostgreSQL knows of it, and what checks made of both.

-- When a row came, by the clock of this database: its object was put before that. Only so can a
-- row be compared with a listing that began later. NULL: it was there before this column.
ALTER TABLE binary_file_metadata ADD COLUMN stored_at timestamptz;
ALTER TABLE binary_file_metadata ALTER COLUMN stored_at SET DEFAULT clock_timestamp();


-- Inventories of the object store ---------------------------------------------------------------

CREATE TABLE inventory_snapshots (
    id uuid PRIMARY KEY,
    -- Everything is compared as of this moment.
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- An object that is younger than this at that moment may still get its row.
    grace interval NOT NULL,
    finished_at timestamptz,
    objects bigint NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL DEFAULT 0
);

CREATE INDEX snapshots_newest ON inventory_snapshots (started_at);

-- What one agent has in one bucket: the unit that is listed, and goes on where it stood.
CREATE TABLE inventory_parts (
    snapshot_id uuid NOT NULL REFERENCES inventory_snapshots ON DELETE CASCADE,
    bucket text NOT NULL,
    -- Ends in a slash; '' is what lies beside all agents.
    prefix text NOT NULL,
    -- The last name that is kept.
    reached text NOT NULL DEFAULT '',
    objects bigint NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL DEFAULT 0,
    is_done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (snapshot_id, bucket, prefix)
);

CREATE INDEX parts_to_list ON inventory_parts (snapshot_id, bucket, prefix) WHERE NOT is_done;

-- No reference to its snapshot: checking it a million times would take longer than the COPY.
CREATE TABLE object_inventory (
    snapshot_id uuid NOT NULL,
    bucket text NOT NULL,
    object_path text NOT NULL,
    size_bytes bigint NOT NULL,
    etag text NOT NULL,
    modified_at timestamptz,
    PRIMARY KEY (snapshot_id, bucket, object_path)
);

-- Where a snapshot and the rows differ; a healthy system has none.
CREATE TABLE object_differences (
    snapshot_id uuid NOT NULL REFERENCES inventory_snapshots ON DELETE CASCADE,
    kind text NOT NULL CHECK (
        kind IN (
            'missing', 'orphan', 'size differs', 'etag differs', 'wrong bucket', 'wrong prefix',
            'agent differs'
        )
    ),
    bucket text NOT NULL,
    object_path text NOT NULL,
    -- NULL where there is no row.
    file_id uuid,
    -- Not `agent_id`: the search after a deletion takes that for a record of the agent's.
    agent text,
    expected text,
    found text
);

CREATE INDEX differences_in_order
ON object_differences (snapshot_id, kind, bucket, object_path, file_id);

-- The statistics of a table that was just filled are those of an empty one, and only an owner may
-- renew them: without this, the comparison of 40,000 objects took minutes.
CREATE FUNCTION analyze_inventory() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE public.object_inventory;
    ANALYZE public.binary_file_metadata;
END
$$;

CREATE FUNCTION analyze_differences() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE public.object_differences;
END
$$;

REVOKE EXECUTE ON FUNCTION analyze_inventory, analyze_differences FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_inventory, analyze_differences TO agentruns_operator;


-- Runs of the checks ----------------------------------------------------------------------------

CREATE TABLE quality_runs (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    -- No reference: a result outlives the inventory that it was found in.
    snapshot_id uuid,
    -- NULL: the run did not come to its end.
    passed boolean
);

CREATE INDEX quality_runs_newest ON quality_runs (started_at, id);

CREATE TABLE quality_results (
    run_id uuid NOT NULL REFERENCES quality_runs ON DELETE CASCADE,
    name text NOT NULL,
    subject text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
    passed boolean NOT NULL,
    bad_rows bigint CHECK (bad_rows >= 0),
    message text NOT NULL,
    -- The first of the bad rows.
    sample jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(sample) = 'array'),
    -- Why the check could not be asked; then it says nothing about the data.
    fault text,
    PRIMARY KEY (run_id, name)
);

-- How one check went over time.
CREATE INDEX quality_results_of_check ON quality_results (name, run_id);


-- The newest inventory that is complete, for checks -----------------------------------------------

CREATE VIEW newest_inventory WITH (security_invoker = true) AS
SELECT id, started_at, finished_at, grace, objects, size_bytes
FROM inventory_snapshots
WHERE finished_at IS NOT NULL
ORDER BY started_at DESC
LIMIT 1;

CREATE VIEW current_objects WITH (security_invoker = true) AS
SELECT bucket, object_path, size_bytes, etag, modified_at
FROM object_inventory
WHERE snapshot_id = (SELECT id FROM newest_inventory);

CREATE VIEW current_differences WITH (security_invoker = true) AS
SELECT kind, bucket, object_path, file_id, agent, expected, found
FROM object_differences
WHERE snapshot_id = (SELECT id FROM newest_inventory);


-- Checking is the operator's work, and nobody else's business -------------------------------------

ALTER TABLE inventory_snapshots ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE inventory_parts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE object_inventory ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE object_differences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE quality_runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE quality_results ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON inventory_snapshots TO agentruns_operator USING (true);
CREATE POLICY all_rows ON inventory_parts TO agentruns_operator USING (true);
CREATE POLICY all_rows ON object_inventory TO agentruns_operator USING (true);
CREATE POLICY all_rows ON object_differences TO agentruns_operator USING (true);
CREATE POLICY all_rows ON quality_runs TO agentruns_operator USING (true);
CREATE POLICY all_rows ON quality_results TO agentruns_operator USING (true);
REVOKE ALL ON inventory_snapshots, inventory_parts, object_inventory, object_differences,
quality_runs, quality_results, newest_inventory, current_objects, current_differences
FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE
ON inventory_snapshots, inventory_parts, object_inventory, object_differences, quality_runs,
quality_results
TO agentruns_operator;
GRANT SELECT ON newest_inventory, current_objects, current_differences TO agentruns_operator;
