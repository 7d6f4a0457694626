-- name: wrong prefix
-- table: current_objects
-- severity: error
-- message: The object has a name that none of ours has: agent, task and SHA-256 are not to be told.
SELECT bucket, object_path
FROM current_differences
WHERE kind = 'wrong prefix'
