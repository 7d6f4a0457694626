-- name: progress_of_task
-- The steps of one task, oldest first.
SELECT id, task_id, agent_id, step, progress_percent, message, data, "timestamp"
FROM task_progress
WHERE task_id = :task_id
    AND (:after_at::timestamptz IS NULL OR ("timestamp", id) > (:after_at, :after_id::uuid))
ORDER BY "timestamp", id
LIMIT :rows;

-- name: recent_progress
-- The steps of every task or of one agent's, newest first.
SELECT id, task_id, agent_id, step, progress_percent, message, data, "timestamp"
FROM task_progress
WHERE (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:after_at::timestamptz IS NULL OR ("timestamp", id) < (:after_at, :after_id::uuid))
ORDER BY "timestamp" DESC, id DESC
LIMIT :rows;

-- name: insert_progress*!
-- One step, unless it is there.
INSERT INTO task_progress (
    id, task_id, agent_id, step, progress_percent, message, data, "timestamp"
)
VALUES (
    :id, :task_id, :agent_id, :step, :progress_percent, :message, :data, :timestamp
)
ON CONFLICT DO NOTHING;

-- name: merge_progress!
-- The steps that were copied into the temporary table, unless they are there.
INSERT INTO task_progress (
    id, task_id, agent_id, step, progress_percent, message, data, "timestamp"
)
SELECT id, task_id, agent_id, step, progress_percent, message, data, "timestamp"
FROM incoming_task_progress
ON CONFLICT DO NOTHING;
