-- `now()`, not `clock_timestamp()`: no index serves a bound that changes while the query runs.

-- name: silent_tasks
-- Tasks in progress of which nothing was heard for a while, the oldest first.
SELECT id, updated_at
FROM tasks
WHERE status = 'in_progress'
    AND created_at < now() - :seconds * interval '1 second'
    AND updated_at < now() - :seconds * interval '1 second'
ORDER BY created_at
LIMIT :rows;

-- name: oldest_unevaluated_task
-- The task that ended first, of those of a time span, and has no verdict yet.
SELECT id, status_at
FROM tasks
WHERE created_at > now() - :days * interval '1 day'
    AND status IN ('completed', 'failed', 'cancelled', 'interrupted')
    AND NOT EXISTS (SELECT FROM evaluations WHERE evaluations.task_id = tasks.id)
ORDER BY created_at
LIMIT 1;
