-- name: file of another agent
-- table: binary_file_metadata
-- severity: error
-- message: The file belongs to another agent than its task.
SELECT binary_file_metadata.id, binary_file_metadata.agent_id, tasks.agent_id AS agent_of_task
FROM binary_file_metadata
INNER JOIN tasks ON tasks.id = binary_file_metadata.task_id
WHERE binary_file_metadata.agent_id IS DISTINCT FROM tasks.agent_id
