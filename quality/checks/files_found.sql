-- name: lost file is back
-- table: binary_file_metadata
-- severity: warning
-- message: The file is marked as lost, and its object is there: 'agentruns repair --apply' shows it.
SELECT file.id, file.agent_id, file.bucket, file.object_path, file.missing_since
FROM binary_file_metadata AS file
INNER JOIN current_objects AS object
    ON object.bucket = file.bucket AND object.object_path = file.object_path
WHERE file.missing_since IS NOT NULL
