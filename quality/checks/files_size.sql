-- name: negative size
-- table: binary_file_metadata
-- severity: error
-- message: The file's size is unknown or below 0.
SELECT id, bucket, object_path, size_bytes
FROM binary_file_metadata
WHERE size_bytes IS NULL OR size_bytes < 0
