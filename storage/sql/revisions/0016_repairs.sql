-- Repairs: what is planned and what came of it, rows without an object, objects in quarantine.

-- Since when the object of a row is known to be lost. The row stays, and is told apart from others.
ALTER TABLE binary_file_metadata ADD COLUMN missing_since timestamptz;
CREATE INDEX missing_files ON binary_file_metadata (task_id, uploaded_at, id)
WHERE missing_since IS NOT NULL;
-- Why an object was lost is for a repair to say, not for who should have put it.
REVOKE INSERT ON binary_file_metadata FROM agentruns_agent;
GRANT INSERT (
    id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, etag, metadata,
    uploaded_at, sequence, stored_at
) ON binary_file_metadata TO agentruns_agent;

-- As in 0004, but for what cannot be shown.
CREATE OR REPLACE VIEW screenshots WITH (security_invoker = true) AS
SELECT id, agent_id, task_id, object_path, content_type, size_bytes, sha256, metadata, uploaded_at,
    sequence
FROM binary_file_metadata
WHERE bucket = 'screenshots' AND missing_since IS NULL;


-- What was taken aside: every byte is kept, in the bucket `quarantine` -----------------------------

CREATE TABLE quarantined_objects (
    id uuid PRIMARY KEY,
    -- NULL: of nobody that is known. The search after a deletion finds the others by these two.
    agent_id text,
    task_id uuid,
    -- Where it lay.
    bucket text NOT NULL,
    object_path text NOT NULL,
    -- Its name in the bucket `quarantine`.
    kept_as text NOT NULL UNIQUE,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    -- Of its bytes, whatever its name said.
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX quarantined_content ON quarantined_objects (sha256);
CREATE INDEX quarantined_of_agent ON quarantined_objects (agent_id);
CREATE INDEX quarantined_of_task ON quarantined_objects (task_id);


-- Plans -------------------------------------------------------------------------------------------

CREATE TABLE repairs (
    id uuid PRIMARY KEY,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    began_by text NOT NULL DEFAULT session_user,
    -- No reference: a plan outlives the inventory that it was made from.
    snapshot_id uuid NOT NULL,
    -- Not `agent_id`, here and below: the search after a deletion takes that for a record of theirs.
    agent text,
    collected_at timestamptz,
    planned_at timestamptz,
    is_applied boolean NOT NULL DEFAULT false,
    finished_at timestamptz
);

CREATE INDEX repairs_newest ON repairs (began_at);

-- No content, and no row as it was: only what is needed to do it, and to see that all is as it was.
CREATE TABLE repair_actions (
    repair_id uuid NOT NULL REFERENCES repairs ON DELETE CASCADE,
    -- What has to come before what; up to 2 it is yet to be decided.
    turn smallint NOT NULL CHECK (turn BETWEEN 0 AND 9),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (
        kind IN (
            'look', 'seek', 'mend row', 'quarantine', 'restore', 'mark missing', 'register',
            'for a person'
        )
    ),
    -- The table and the row that it is about; NULL: an object only.
    record text CHECK (
        record IN ('binary_file_metadata', 'tasks', 'task_progress', 'evaluations')
    ),
    row_id uuid,
    bucket text,
    object_path text,
    agent text,
    task uuid,
    reason text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    -- NULL: not yet.
    outcome text CHECK (outcome IN ('done', 'changed', 'failed')),
    told text,
    ended_at timestamptz,
    PRIMARY KEY (repair_id, turn, id)
);

CREATE INDEX actions_to_do ON repair_actions (repair_id, turn, id) WHERE outcome IS NULL;
CREATE INDEX actions_on_objects ON repair_actions (repair_id, bucket, object_path);
CREATE INDEX actions_by_content ON repair_actions (repair_id, (details ->> 'sha256'))
WHERE kind = 'quarantine';
CREATE INDEX actions_of_agent ON repair_actions (agent);
CREATE INDEX actions_of_task ON repair_actions (task);


-- Repairing is the operator's work ----------------------------------------------------------------

ALTER TABLE quarantined_objects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE repairs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE repair_actions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON quarantined_objects TO agentruns_operator USING (true);
CREATE POLICY all_rows ON repairs TO agentruns_operator USING (true);
CREATE POLICY all_rows ON repair_actions TO agentruns_operator USING (true);
REVOKE ALL ON quarantined_objects, repairs, repair_actions FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON quarantined_objects, repairs, repair_actions
TO agentruns_operator;
