-- name: progress_of_task
-- The steps of one task, oldest first; what happens at once in the order it was said.
SELECT id, task_id, agent_id, step, progress_percent, message, data, "timestamp", sequence
FROM task_progress
WHERE task_id = :task_id
    AND (
        :after_at::timestamptz IS NULL
        OR ("timestamp", COALESCE(sequence, 0), id)
        > (:after_at, :after_sequence::bigint, :after_id::uuid)
    )
ORDER BY "timestamp", COALESCE(sequence, 0), id
LIMIT :rows;

-- name: recent_progress
-- The steps of every task or of one agent's, newest first.
SELECT id, task_id, agent_id, step, progress_percent, message, data, "timestamp", sequence
FROM task_progress
WHERE (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:after_at::timestamptz IS NULL OR ("timestamp", id) < (:after_at, :after_id::uuid))
ORDER BY "timestamp" DESC, id DESC
LIMIT :rows;

-- name: insert_progress*!
-- One step, unless it is there.
INSERT INTO task_progress (
    id, task_id, agent_id, step, progress_percent, message, data, "timestamp", sequence
)
VALUES (
    :id, :task_id, :agent_id, :step, :progress_percent, :message, :data, :timestamp, :sequence
)
ON CONFLICT DO NOTHING;

-- name: merge_progress!
-- The steps that were copied into the temporary table, unless they are there.
INSERT INTO task_progress (
    id, task_id, agent_id, step, progress_percent, message, data, "timestamp", sequence
)
SELECT id, task_id, agent_id, step, progress_percent, message, data, "timestamp", sequence
FROM incoming_task_progress
ON CONFLICT DO NOTHING;
