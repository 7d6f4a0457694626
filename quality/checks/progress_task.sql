-- name: progress without task
-- table: task_progress
-- severity: error
-- message: The task that the progress belongs to does not exist.
SELECT id, task_id
FROM task_progress
WHERE task_id IS NULL OR NOT EXISTS (SELECT FROM tasks WHERE tasks.id = task_progress.task_id)
