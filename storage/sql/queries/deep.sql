-- Objects read to the end, and their content compared with rows and names.

-- name: hold_deep
-- Whether nobody else reads objects; while this transaction lasts, nobody else does.
SELECT pg_try_advisory_xact_lock(hashtext('agentruns deep check'), 0);

-- name: unfinished_passes
-- Passes that were cut off, the oldest first: those of one scope, or of all parts of that many.
SELECT id, scope, began_at, finished_at, all_objects, all_bytes, objects, size_bytes
FROM deep_passes
WHERE finished_at IS NULL AND (scope = :scope OR parts = :parts)
ORDER BY began_at;

-- name: next_part
-- The part that was not read for the longest time, or never.
SELECT number
FROM generate_series(1, :parts) AS number
ORDER BY (
    SELECT max(began_at)
    FROM deep_passes
    WHERE deep_passes.parts = :parts AND deep_passes.part = number AND finished_at IS NOT NULL
) NULLS FIRST, number
LIMIT 1;

-- name: open_pass_of_objects!
-- A pass begins.
INSERT INTO deep_passes (id, scope, part, parts) VALUES (:id, :scope, :part, :parts)
ON CONFLICT DO NOTHING;

-- name: plan_all_objects!
-- Every object of the newest inventory is to be read, or the part of them that a hash of the name
-- chooses: no new object moves another one to another part.
INSERT INTO deep_objects (pass_id, bucket, object_path, size_bytes, etag, modified_at)
SELECT :id, bucket, object_path, size_bytes, etag, modified_at
FROM current_objects
WHERE :parts::int IS NULL
    OR mod(
        ('x' || substr(md5(bucket || '/' || object_path), 1, 8))::bit(32)::bigint, :parts::int
    ) = :part::int - 1;

-- name: plan_sample_of_objects!
-- So many objects of the newest inventory are to be read, the same ones for the same seed.
INSERT INTO deep_objects (pass_id, bucket, object_path, size_bytes, etag, modified_at)
SELECT :id, bucket, object_path, size_bytes, etag, modified_at
FROM current_objects
ORDER BY md5(:seed::text || '/' || bucket || '/' || object_path)
LIMIT :sample;

-- name: count_plan
-- How much there is to read; gives the pass.
UPDATE deep_passes
SET all_objects = planned.objects, all_bytes = planned.size_bytes
FROM (
    SELECT count(*) AS objects, coalesce(sum(size_bytes), 0) AS size_bytes
    FROM deep_objects
    WHERE pass_id = :id
) AS planned
WHERE id = :id
RETURNING id, scope, began_at, finished_at, all_objects, all_bytes, deep_passes.objects,
    deep_passes.size_bytes;

-- name: analyze_deep_objects
-- Renew the statistics of what is to be read.
SELECT analyze_deep_objects();

-- name: objects_to_read
-- The next objects of a pass.
SELECT bucket, object_path, etag, modified_at
FROM deep_objects
WHERE pass_id = :id AND (bucket, object_path) > (:bucket, :object_path)
ORDER BY bucket, object_path
LIMIT :rows;

-- name: forget_read_objects
-- They are read; only now, so that a kill makes the next run read them again. Tells how many were
-- to be read: a repeated write counts nothing twice.
WITH read AS (
    DELETE FROM deep_objects
    USING unnest(:buckets::text [], :paths::text []) AS told (bucket, object_path)
    WHERE pass_id = :id
        AND deep_objects.bucket = told.bucket
        AND deep_objects.object_path = told.object_path
    RETURNING size_bytes
)
UPDATE deep_passes
SET objects = deep_passes.objects + counted.objects,
    size_bytes = deep_passes.size_bytes + counted.size_bytes
FROM (SELECT count(*) AS objects, coalesce(sum(size_bytes), 0) AS size_bytes FROM read) AS counted
WHERE id = :id;

-- name: forget_older_readings!
-- What was found in them before.
DELETE FROM object_readings
USING unnest(:buckets::text [], :paths::text []) AS told (bucket, object_path)
WHERE object_readings.bucket = told.bucket AND object_readings.object_path = told.object_path;

-- name: keep_readings!
-- Those whose content is not what a row or the name tells, or that could not be read.
INSERT INTO object_readings (
    bucket, object_path, sha256, size_bytes, etag, modified_at, fault
)
SELECT told.bucket, told.object_path, told.sha256, told.size_bytes, told.etag, told.modified_at,
    told.fault
FROM unnest(
    :buckets::text [], :paths::text [], :hashes::text [], :sizes::bigint [], :etags::text [],
    :times::timestamptz [], :faults::text []
) AS told (bucket, object_path, sha256, size_bytes, etag, modified_at, fault)
WHERE told.sha256 IS NULL
    OR told.sha256 <> substring(
        split_part(told.object_path, '/', 3) FROM '^([0-9a-f]{64})(?:[.]|$)'
    )
    OR EXISTS (
        SELECT FROM binary_file_metadata AS file
        WHERE file.bucket = told.bucket
            AND file.object_path = told.object_path
            AND file.sha256 IS DISTINCT FROM told.sha256
    );

-- name: finish_pass_of_objects
-- A pass came to its end; gives it.
UPDATE deep_passes SET finished_at = clock_timestamp()
WHERE id = :id
RETURNING id, scope, began_at, finished_at, all_objects, all_bytes, objects, size_bytes;

-- name: abandoned_passes
-- Passes that were cut off so long ago that nobody goes on with them.
SELECT id FROM deep_passes
WHERE finished_at IS NULL AND began_at < now() - :lately::interval;

-- name: forget_objects_of_pass!
-- What was left to read of a pass.
DELETE FROM deep_objects
WHERE pass_id = :id;

-- name: forget_pass_of_objects!
-- A pass that nobody goes on with.
DELETE FROM deep_passes
WHERE id = :id;

-- name: pass_at_work
-- The pass that is being read, or was read last.
SELECT id, scope, began_at, finished_at, all_objects, all_bytes, objects, size_bytes
FROM deep_passes
WHERE finished_at IS NULL
ORDER BY began_at DESC
LIMIT 1;
