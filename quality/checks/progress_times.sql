-- name: progress before its task
-- table: task_progress
-- severity: warning
-- message: The progress is older than its task.
SELECT task_progress.id, task_progress.task_id, task_progress."timestamp", tasks.created_at
FROM task_progress
INNER JOIN tasks ON tasks.id = task_progress.task_id
WHERE task_progress."timestamp" < tasks.created_at
