-- The order in which recorders said things, and which recorders still live.

ALTER TABLE task_progress ADD COLUMN sequence bigint CHECK (sequence >= 1);
ALTER TABLE binary_file_metadata ADD COLUMN sequence bigint CHECK (sequence >= 1);

-- When a delivery last saw the recorder of the task alive. Not indexed, as `evidence_at` is not.
ALTER TABLE tasks ADD COLUMN heartbeat_at timestamptz;

-- The newest run on a machine tells by its boot id whether the older ones can still live.
CREATE INDEX tasks_newest_on_machine ON tasks (
    (metadata #>> '{recorder,machine}'), (metadata #>> '{recorder,host}'), started_at
)
WHERE metadata #>> '{recorder,machine}' IS NOT NULL;
