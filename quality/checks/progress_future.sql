-- name: progress from the future
-- table: task_progress
-- severity: warning
-- message: The progress lies ahead; the clock of its machine is wrong.
SELECT id, task_id, "timestamp"
FROM task_progress
-- Clocks of machines differ.
WHERE "timestamp" > now() + interval '1 day'
