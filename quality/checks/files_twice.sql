-- name: duplicate path
-- table: binary_file_metadata
-- severity: error
-- message: Rows of one object disagree about what it is or whose it is.
-- Frames that look the same share an object, so several rows are no finding.
SELECT bucket, object_path, count(*) AS files
FROM binary_file_metadata
GROUP BY bucket, object_path
HAVING min(sha256) <> max(sha256)
    OR min(size_bytes) <> max(size_bytes)
    OR min(content_type) <> max(content_type)
    OR min(agent_id) <> max(agent_id)
    OR min(task_id::text) <> max(task_id::text)
