-- name: task with a wrong end
-- table: tasks
-- severity: error
-- message: The task has a time of its end and has not ended, or the other way round.
SELECT id, status, finished_at
FROM tasks
WHERE (status IN ('pending', 'in_progress') AND finished_at IS NOT NULL)
    OR (status IN ('completed', 'failed', 'cancelled') AND finished_at IS NULL)
