-- name: etag differs
-- table: current_objects
-- severity: error
-- message: The object has other content than the one that was put: its ETag is another.
SELECT file_id, bucket, object_path, expected, found
FROM current_differences
WHERE kind = 'etag differs'
