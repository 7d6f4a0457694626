-- name: content differs
-- table: current_objects
-- severity: error
-- message: The object was read, and its SHA-256 is not the one that its row tells.
SELECT file_id, bucket, object_path, expected, found, read_at
FROM content_differences
WHERE kind = 'content differs'
