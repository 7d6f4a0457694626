-- What the object store holds, listed and compared with the metadata.

-- name: hold_inventory
-- Whether nobody else lists and checks; while this transaction lasts, nobody else does.
SELECT pg_try_advisory_xact_lock(hashtext('agentruns inventory'), 0);

-- name: unfinished_snapshot
-- The newest inventory, when it was begun lately and is not complete.
SELECT id, started_at, grace, finished_at, objects, size_bytes
FROM (
    SELECT id, started_at, grace, finished_at, objects, size_bytes
    FROM inventory_snapshots
    ORDER BY started_at DESC
    LIMIT 1
) AS newest
WHERE finished_at IS NULL AND started_at > now() - :lately::interval;

-- name: open_snapshot
-- Begin an inventory at this moment.
INSERT INTO inventory_snapshots (id, grace) VALUES (:id, :grace)
RETURNING id, started_at, grace, finished_at, objects, size_bytes;

-- name: snapshot
-- One inventory.
SELECT id, started_at, grace, finished_at, objects, size_bytes
FROM inventory_snapshots
WHERE id = :id;

-- name: planned_buckets
-- The buckets whose parts are known.
SELECT bucket
FROM inventory_parts
WHERE snapshot_id = :snapshot_id AND prefix = '';

-- name: plan_parts!
-- What is to be listed in a bucket.
INSERT INTO inventory_parts (snapshot_id, bucket, prefix)
SELECT :snapshot_id, :bucket, prefix
FROM unnest(:prefixes::text []) AS prefix
ON CONFLICT DO NOTHING;

-- name: parts_to_list
-- The parts that are not listed to their end.
SELECT bucket, prefix, reached
FROM inventory_parts
WHERE snapshot_id = :snapshot_id AND NOT is_done
ORDER BY bucket, prefix;

-- name: advance_part!
-- Note how far a part is listed, unless that is known: a repeated write keeps nothing twice.
UPDATE inventory_parts
SET reached = :reached,
    objects = objects + :objects,
    size_bytes = size_bytes + :size_bytes,
    is_done = :is_done
WHERE snapshot_id = :snapshot_id
    AND bucket = :bucket
    AND prefix = :prefix
    AND reached = :before
    AND NOT is_done;

-- name: make_room_for_listed!
-- For the next objects of a part: PostgreSQL takes no COPY into a table with row security.
CREATE TEMP TABLE listed (
    object_path text NOT NULL, size_bytes bigint NOT NULL, etag text NOT NULL,
    modified_at timestamptz
) ON COMMIT DROP;

-- name: copy_listed!
-- The next objects of a part.
COPY listed (object_path, size_bytes, etag, modified_at) FROM STDIN;

-- name: store_listed!
-- Keep them.
INSERT INTO object_inventory (
    snapshot_id, bucket, object_path, size_bytes, etag, modified_at
)
SELECT :snapshot_id, :bucket, object_path, size_bytes, etag, modified_at
FROM listed;

-- name: analyze_inventory
-- Renew the statistics of the tables that are compared next.
SELECT analyze_inventory();

-- name: analyze_differences
-- Renew the statistics of what was found different.
SELECT analyze_differences();

-- name: forget_differences_of_snapshot!
-- Before they are found anew.
DELETE FROM object_differences
WHERE snapshot_id = :snapshot_id;

-- name: compare_inventory!
-- Where rows and objects differ. Rows that came after the beginning are not compared, nor objects
-- that were put shortly before it and have no row yet: they are on their way.
INSERT INTO object_differences (
    snapshot_id, kind, bucket, object_path, file_id, agent, expected, found
)
SELECT :snapshot_id, kind, bucket, object_path, file_id, agent, expected, found
FROM (
    SELECT
        CASE
            WHEN file.id IS NULL THEN
                CASE
                    WHEN object.modified_at >= moment.started_at - moment.grace THEN NULL
                    WHEN object.object_path !~ (
                        '^[a-z0-9][a-z0-9_-]{0,56}'
                        '/(no-task|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})'
                        '/[0-9a-f]{64}(\.[a-z0-9]{1,10}){0,2}$'
                    ) THEN 'wrong prefix'
                    ELSE 'orphan'
                END
            WHEN file.stored_at >= moment.started_at THEN NULL
            WHEN object.object_path IS NULL THEN
                CASE WHEN file.missing_since IS NULL THEN 'missing' END
            WHEN file.size_bytes <> object.size_bytes THEN 'size differs'
            WHEN file.etag <> object.etag THEN 'etag differs'
        END AS kind,
        coalesce(file.bucket, object.bucket) AS bucket,
        coalesce(file.object_path, object.object_path) AS object_path,
        file.id AS file_id,
        coalesce(file.agent_id, split_part(object.object_path, '/', 1)) AS agent,
        CASE
            WHEN file.size_bytes = object.size_bytes THEN file.etag ELSE file.size_bytes::text
        END AS expected,
        CASE
            WHEN file.size_bytes = object.size_bytes THEN object.etag ELSE object.size_bytes::text
        END AS found
    FROM binary_file_metadata AS file
    FULL JOIN (SELECT * FROM object_inventory WHERE snapshot_id = :snapshot_id) AS object
        ON object.bucket = file.bucket AND object.object_path = file.object_path
    CROSS JOIN (
        SELECT started_at, grace FROM inventory_snapshots WHERE id = :snapshot_id
    ) AS moment
) AS compared
WHERE kind IS NOT NULL;

-- name: find_moved_objects!
-- A missing object that lies in the other bucket, or under another agent, is not gone: it is one
-- difference, not two.
WITH moved AS (
    SELECT DISTINCT ON (gone.file_id)
        gone.file_id,
        gone.bucket,
        gone.object_path,
        there.bucket AS found_bucket,
        there.object_path AS found_path
    FROM object_differences AS gone
    INNER JOIN object_differences AS there
        ON there.snapshot_id = gone.snapshot_id
            AND there.kind = 'orphan'
            AND substr(there.object_path, strpos(there.object_path, '/'))
            = substr(gone.object_path, strpos(gone.object_path, '/'))
            AND (there.bucket = gone.bucket OR there.object_path = gone.object_path)
    WHERE gone.snapshot_id = :snapshot_id AND gone.kind = 'missing'
),
renamed AS (
    UPDATE object_differences AS gone
    SET kind = CASE
            WHEN moved.found_bucket = moved.bucket THEN 'agent differs' ELSE 'wrong bucket'
        END,
        expected = moved.bucket || '/' || moved.object_path,
        found = moved.found_bucket || '/' || moved.found_path
    FROM moved
    WHERE gone.snapshot_id = :snapshot_id
        AND gone.kind = 'missing'
        AND gone.bucket = moved.bucket
        AND gone.object_path = moved.object_path
        AND gone.file_id = moved.file_id
)
DELETE FROM object_differences AS there
USING moved
WHERE there.snapshot_id = :snapshot_id
    AND there.kind = 'orphan'
    AND there.bucket = moved.found_bucket
    AND there.object_path = moved.found_path;

-- name: find_strange_orphans!
-- An object without a row that lies under another agent than that of the task in its name.
UPDATE object_differences AS orphan
SET kind = 'agent differs', expected = tasks.agent_id, found = orphan.agent
FROM tasks
WHERE orphan.snapshot_id = :snapshot_id
    AND orphan.kind = 'orphan'
    AND split_part(orphan.object_path, '/', 2) <> 'no-task'
    AND tasks.id = CASE
        WHEN split_part(orphan.object_path, '/', 2) <> 'no-task'
            THEN split_part(orphan.object_path, '/', 2)::uuid
    END
    AND tasks.agent_id <> orphan.agent;

-- name: forget_deleted_objects!
-- What was deleted for good between the listing and the comparison, or is being deleted, is no
-- finding: whoever deletes comes back for it.
DELETE FROM object_differences AS difference
WHERE difference.snapshot_id = :snapshot_id
    AND difference.kind IN ('missing', 'orphan')
    AND (
        split_part(difference.object_path, '/', 2) IN (
            SELECT task_id::text FROM deleted_tasks
        )
        OR difference.agent IN (
            SELECT agent_id FROM deletions WHERE task_id IS NULL AND readmitted_at IS NULL
        )
    );

-- name: close_snapshot!
-- An inventory is complete and compared.
UPDATE inventory_snapshots
SET finished_at = clock_timestamp(), objects = counted.objects, size_bytes = counted.size_bytes
FROM (
    SELECT coalesce(sum(objects), 0) AS objects, coalesce(sum(size_bytes), 0) AS size_bytes
    FROM inventory_parts
    WHERE snapshot_id = :id
) AS counted
WHERE id = :id;

-- name: old_snapshots
-- Inventories that newer ones have taken the place of, the oldest last.
SELECT id
FROM inventory_snapshots
WHERE started_at < (
    SELECT min(started_at)
    FROM (
        SELECT started_at FROM inventory_snapshots ORDER BY started_at DESC LIMIT :keep
    ) AS kept
)
ORDER BY started_at DESC
LIMIT 100;

-- name: forget_objects!
-- The objects of an inventory that is removed.
DELETE FROM object_inventory
WHERE snapshot_id = :id;

-- name: forget_snapshot!
-- The rest of an inventory that is removed.
DELETE FROM inventory_snapshots
WHERE id = :id;
