-- Who copies items of a migration right now, as one may be copied by several workers at a time.

CREATE TABLE migration_workers (
    id uuid PRIMARY KEY,
    migration_id uuid NOT NULL REFERENCES migrations ON DELETE CASCADE,
    -- The worker that holds the migration; NULL for that one itself.
    helps uuid,
    -- Prefect's, which knows of a dead process before its silence does.
    flow_run_id uuid,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Its last sign of life.
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX migration_workers_of_migration ON migration_workers (migration_id);

ALTER TABLE migration_items
-- Whoever copies it now. No reference: a worker that is gone holds nothing.
ADD COLUMN claimed_by uuid,
-- One that nobody copies and that still waits was tried since.
ADD COLUMN claimed_at timestamptz;

ALTER TABLE migration_workers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON migration_workers TO agentruns_operator USING (true);
REVOKE ALL ON migration_workers FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON migration_workers TO agentruns_operator;
