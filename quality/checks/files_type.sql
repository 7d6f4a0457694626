-- name: content type against the name
-- table: binary_file_metadata
-- severity: error
-- message: The file's content type is not the one that its name tells.
SELECT file.id, file.bucket, file.object_path, file.content_type
FROM binary_file_metadata AS file
LEFT JOIN (
    VALUES
    ('png', 'image/png'), ('jpg', 'image/jpeg'), ('gif', 'image/gif'), ('webp', 'image/webp')
) AS picture (extension, content_type)
    ON picture.extension = split_part(split_part(file.object_path, '/', 3), '.', 2)
WHERE coalesce(file.content_type, '') = ''
    OR picture.content_type <> file.content_type
    -- Names are given by the first bytes: what is no picture is not called like one.
    OR (
        picture.content_type IS NULL
        AND file.content_type IN ('image/png', 'image/jpeg', 'image/gif', 'image/webp')
    )
