-- name: unknown status
-- table: tasks
-- severity: error
-- message: The task has a status that does not exist.
SELECT id, status
FROM tasks
WHERE status IS NULL
    OR status NOT IN (
        'pending', 'in_progress', 'completed', 'failed', 'cancelled', 'interrupted'
    )
