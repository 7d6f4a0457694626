-- name: files_page
-- Metadata of stored files, newest first.
SELECT id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, etag,
    metadata, uploaded_at, sequence
FROM binary_file_metadata
WHERE missing_since IS NULL
    AND (:bucket::text IS NULL OR bucket = :bucket)
    AND (:task_id::uuid IS NULL OR task_id = :task_id)
    AND (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:content_type::text IS NULL OR content_type = :content_type)
    AND (:after_at::timestamptz IS NULL OR (uploaded_at, id) < (:after_at, :after_id::uuid))
ORDER BY uploaded_at DESC, id DESC
LIMIT :rows;

-- name: missing_files_page
-- Files of one task whose objects are lost, newest first.
SELECT id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, etag,
    metadata, uploaded_at, sequence, missing_since
FROM binary_file_metadata
WHERE task_id = :task_id
    AND missing_since IS NOT NULL
    AND (:after_at::timestamptz IS NULL OR (uploaded_at, id) < (:after_at, :after_id::uuid))
ORDER BY uploaded_at DESC, id DESC
LIMIT :rows;

-- name: insert_file*!
-- One file's metadata, unless it is there.
INSERT INTO binary_file_metadata (
    id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, etag,
    metadata, uploaded_at, sequence
)
VALUES (
    :id, :agent_id, :task_id, :bucket, :object_path, :content_type, :size_bytes, :sha256, :etag,
    :metadata, :uploaded_at, :sequence
)
ON CONFLICT DO NOTHING;

-- name: merge_files!
-- The metadata that was copied into the temporary table, unless it is there.
INSERT INTO binary_file_metadata (
    id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, etag,
    metadata, uploaded_at, sequence
)
SELECT id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, etag,
    metadata, uploaded_at, sequence
FROM incoming_binary_file_metadata
ON CONFLICT DO NOTHING;
