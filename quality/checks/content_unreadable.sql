-- name: unreadable object
-- table: current_objects
-- severity: error
-- message: The server lists the object and cannot give it; its disk is damaged.
SELECT file_id, bucket, object_path, found AS fault, read_at
FROM content_differences
WHERE kind = 'unreadable'
