-- name: task times out of order
-- table: tasks
-- severity: error
-- message: The task ends before it starts, or starts before it was made.
SELECT id, created_at, started_at, finished_at
FROM tasks
WHERE finished_at < started_at OR started_at < created_at OR finished_at < created_at
