-- name: size differs
-- table: current_objects
-- severity: error
-- message: The object has another size than its row says.
SELECT file_id, bucket, object_path, expected, found
FROM current_differences
WHERE kind = 'size differs'
