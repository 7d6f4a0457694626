-- name: file without task
-- table: binary_file_metadata
-- severity: error
-- message: The task that the file belongs to does not exist.
SELECT id, task_id
FROM binary_file_metadata
WHERE task_id IS NOT NULL AND NOT EXISTS (SELECT FROM tasks WHERE tasks.id = binary_file_metadata.task_id)
