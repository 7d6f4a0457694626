-- name: unknown bucket
-- table: binary_file_metadata
-- severity: error
-- message: The file lies in a bucket that is none of ours.
SELECT id, bucket, object_path
FROM binary_file_metadata
WHERE bucket IS NULL OR bucket NOT IN ('screenshots', 'binaries')
