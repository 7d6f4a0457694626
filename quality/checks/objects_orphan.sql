-- name: orphan object
-- table: current_objects
-- severity: error
-- message: The object has no row, so nobody sees it.
SELECT agent, bucket, object_path, found AS size_bytes
FROM current_differences
WHERE kind = 'orphan'
