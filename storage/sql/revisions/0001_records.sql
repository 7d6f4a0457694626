-- Tasks, their progress, the verdicts on them and the metadata of their files.
-- CHECKs mirror agentruns/models: a record that never went through them is refused here.
-- Authors' times have milliseconds, as the models (and MongoDB) do, so that cursors are exact.

CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    agent_id text NOT NULL CHECK (agent_id ~ '^[a-z0-9][a-z0-9_-]{0,56}$'),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 500),
    description text,
    status text NOT NULL CHECK (
        status IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled', 'interrupted')
    ),
    status_at timestamptz(3) NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    created_at timestamptz(3) NOT NULL,
    started_at timestamptz(3),
    finished_at timestamptz(3),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When something about the task was last stored; an evaluation that covers less is out of date.
    -- Not indexed, and room is left on each page, so that raising it stays a HOT update.
    evidence_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 85);

CREATE INDEX idx_agent_status ON tasks (agent_id, status);
CREATE INDEX tasks_newest ON tasks (created_at);
CREATE INDEX tasks_newest_of_agent ON tasks (agent_id, created_at);
CREATE INDEX tasks_newest_by_status ON tasks (status, created_at);

CREATE TABLE task_progress (
    id uuid PRIMARY KEY,
    task_id uuid NOT NULL REFERENCES tasks (id),
    agent_id text NOT NULL CHECK (agent_id ~ '^[a-z0-9][a-z0-9_-]{0,56}$'),
    step integer CHECK (step >= 0),
    progress_percent double precision CHECK (progress_percent BETWEEN 0 AND 100),
    message text NOT NULL DEFAULT '',
    data jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
    "timestamp" timestamptz(3) NOT NULL
);

CREATE INDEX idx_task_timestamp ON task_progress (task_id, "timestamp");
CREATE INDEX progress_newest ON task_progress ("timestamp");
CREATE INDEX progress_newest_of_agent ON task_progress (agent_id, "timestamp");

CREATE TABLE evaluation_passes (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    scorers jsonb NOT NULL DEFAULT '[]',
    parameters jsonb NOT NULL DEFAULT '{}',
    eligible bigint NOT NULL DEFAULT 0 CHECK (eligible >= 0),
    evaluated bigint NOT NULL DEFAULT 0 CHECK (evaluated >= 0),
    skipped bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    failed bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    errors jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX passes_newest ON evaluation_passes (started_at);

CREATE TABLE evaluations (
    id uuid PRIMARY KEY,
    task_id uuid NOT NULL REFERENCES tasks (id),
    agent_id text NOT NULL CHECK (agent_id ~ '^[a-z0-9][a-z0-9_-]{0,56}$'),
    -- No reference: a verdict outlives the record of the pass that made it.
    pass_id uuid,
    scorer text NOT NULL CHECK (length(scorer) BETWEEN 1 AND 500),
    scorer_version text NOT NULL CHECK (length(scorer_version) BETWEEN 1 AND 500),
    -- NULL: the scorer does not apply to the task.
    score double precision CHECK (score BETWEEN 0 AND 1),
    report text NOT NULL DEFAULT '',
    metrics jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metrics) = 'object'),
    evidence_digest text NOT NULL DEFAULT 'none',
    -- The task's evidence_at that the verdict covers.
    evidence_at timestamptz,
    created_at timestamptz(3) NOT NULL,
    CONSTRAINT one_verdict_on_equal_evidence
    UNIQUE (task_id, scorer, scorer_version, evidence_digest)
);

CREATE INDEX evaluations_latest ON evaluations (task_id, scorer, scorer_version, created_at);
CREATE INDEX evaluations_newest ON evaluations (created_at);
CREATE INDEX evaluations_newest_of_agent ON evaluations (agent_id, created_at);
CREATE INDEX evaluations_newest_of_scorer ON evaluations (scorer, created_at);

CREATE TABLE binary_file_metadata (
    id uuid PRIMARY KEY,
    agent_id text NOT NULL CHECK (agent_id ~ '^[a-z0-9][a-z0-9_-]{0,56}$'),
    task_id uuid REFERENCES tasks (id),
    bucket text NOT NULL CHECK (bucket IN ('screenshots', 'binaries')),
    object_path text NOT NULL CHECK (object_path !~ '(^|/)\.\.?(/|$)|//|\\'),
    content_type text NOT NULL CHECK (length(content_type) BETWEEN 1 AND 500),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    etag text,
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    uploaded_at timestamptz(3) NOT NULL,
    CONSTRAINT object_lies_under_its_agent CHECK (starts_with(object_path, agent_id || '/'))
);

CREATE INDEX idx_agent_task ON binary_file_metadata (agent_id, task_id);
-- Not unique: several steps may show the same picture, which is stored once.
CREATE INDEX files_by_object ON binary_file_metadata (bucket, object_path);
CREATE INDEX files_newest ON binary_file_metadata (uploaded_at);
CREATE INDEX files_newest_of_task ON binary_file_metadata (task_id, uploaded_at);
CREATE INDEX files_newest_of_agent ON binary_file_metadata (agent_id, uploaded_at);
CREATE INDEX files_newest_of_bucket ON binary_file_metadata (bucket, uploaded_at);
CREATE INDEX files_newest_of_type ON binary_file_metadata (content_type, uploaded_at);
