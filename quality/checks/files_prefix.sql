-- name: path of another agent
-- table: binary_file_metadata
-- severity: error
-- message: The file's path does not begin with its agent.
SELECT id, agent_id, bucket, object_path
FROM binary_file_metadata
WHERE NOT starts_with(object_path, agent_id || '/')
