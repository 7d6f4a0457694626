-- name: log before its task
-- table: tasks
-- severity: warning
-- message: The first log entry or memory of the task is older than the task.
SELECT collection, agent, told AS task_id, first_at, tasks.created_at
FROM document_differences
INNER JOIN tasks ON tasks.id = document_differences.task
WHERE kind = 'before its task' AND first_at < date_trunc('milliseconds', tasks.created_at)
