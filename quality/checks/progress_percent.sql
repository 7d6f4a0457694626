-- name: percent out of range
-- table: task_progress
-- severity: error
-- message: The progress is not between 0 and 100.
SELECT id, task_id, progress_percent
FROM task_progress
WHERE NOT progress_percent BETWEEN 0 AND 100
