-- name: task from the future
-- table: tasks
-- severity: warning
-- message: The task's times lie ahead; the clock of its machine is wrong.
SELECT id, created_at, status_at
FROM tasks
-- Clocks of machines differ.
WHERE greatest(created_at, status_at) > now() + interval '1 day'
