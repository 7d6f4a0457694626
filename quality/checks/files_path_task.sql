-- name: path of another task
-- table: binary_file_metadata
-- severity: error
-- message: The file's path names another task than its row.
SELECT id, task_id, bucket, object_path
FROM binary_file_metadata
WHERE split_part(object_path, '/', 2) <> coalesce(task_id::text, 'no-task')
