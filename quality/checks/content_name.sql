-- name: content against its name
-- table: current_objects
-- severity: error
-- message: The object was read, and its SHA-256 is not the one in its name.
SELECT agent, bucket, object_path, expected, found, read_at
FROM content_differences
WHERE kind = 'name differs'
