-- name: malformed hash
-- table: binary_file_metadata
-- severity: error
-- message: The file's SHA-256 is none.
SELECT id, bucket, object_path, sha256
FROM binary_file_metadata
WHERE sha256 IS NULL OR sha256 !~ '^[0-9a-f]{64}$'
