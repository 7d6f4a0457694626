-- name: agent differs
-- table: current_objects
-- severity: error
-- message: The object lies under another agent than the one whose it is.
SELECT file_id, bucket, object_path, expected, found
FROM current_differences
WHERE kind = 'agent differs'
