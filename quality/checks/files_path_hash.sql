-- name: path of another content
-- table: binary_file_metadata
-- severity: error
-- message: The file's path names another SHA-256 than its row.
SELECT id, bucket, object_path, sha256
FROM binary_file_metadata
WHERE split_part(split_part(object_path, '/', 3), '.', 1) <> sha256
