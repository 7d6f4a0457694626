-- name: screenshot outside its task's time
-- table: binary_file_metadata
-- severity: warning
-- message: The screenshot is older than its task, or was taken after its end.
SELECT file.id, file.task_id, file.uploaded_at, tasks.created_at, tasks.finished_at
FROM binary_file_metadata AS file
INNER JOIN tasks ON tasks.id = file.task_id
WHERE file.bucket = 'screenshots'
    AND (
        file.uploaded_at < tasks.created_at
        -- The last picture may be put by somebody else, who ends later.
        OR file.uploaded_at > tasks.finished_at + interval '1 minute'
    )
