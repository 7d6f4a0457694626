-- name: missing object
-- table: current_objects
-- severity: error
-- message: The row's object is not in the store.
SELECT file_id, agent, bucket, object_path
FROM current_differences
WHERE kind = 'missing'
