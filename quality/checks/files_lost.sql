-- name: lost file
-- table: binary_file_metadata
-- severity: warning
-- message: The file's object is lost; a repair found its bytes nowhere, and keeps its row.
SELECT id, agent_id, task_id, bucket, object_path, missing_since
FROM binary_file_metadata
WHERE missing_since IS NOT NULL
