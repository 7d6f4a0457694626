-- name: wrong bucket
-- table: current_objects
-- severity: error
-- message: The object lies in the other bucket.
SELECT file_id, bucket, object_path, found
FROM current_differences
WHERE kind = 'wrong bucket'
