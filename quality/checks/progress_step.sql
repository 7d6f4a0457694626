-- name: negative step
-- table: task_progress
-- severity: error
-- message: The step's number is below 0.
SELECT id, task_id, step
FROM task_progress
WHERE step < 0
