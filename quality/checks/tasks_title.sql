-- name: task without title
-- table: tasks
-- severity: error
-- message: The task has no title.
SELECT id
FROM tasks
WHERE title IS NULL OR title = ''
