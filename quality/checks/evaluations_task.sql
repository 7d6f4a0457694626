-- name: verdict without task
-- table: evaluations
-- severity: error
-- message: The task that the verdict belongs to does not exist.
SELECT id, task_id
FROM evaluations
WHERE task_id IS NULL OR NOT EXISTS (SELECT FROM tasks WHERE tasks.id = evaluations.task_id)
