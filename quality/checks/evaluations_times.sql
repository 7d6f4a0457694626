-- name: verdict before its task
-- table: evaluations
-- severity: warning
-- message: The verdict is older than its task.
SELECT evaluations.id, evaluations.task_id, evaluations.created_at, tasks.created_at AS task_made
FROM evaluations
INNER JOIN tasks ON tasks.id = evaluations.task_id
WHERE evaluations.created_at < tasks.created_at
