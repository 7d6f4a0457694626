-- What the steps of migrations have done so far. Counted, as looking through all items each second costs too much.

-- name: begin_step!
-- A step begins, with what there is to do in it; the source of an inventory may have changed since.
INSERT INTO migration_steps (migration_id, step, all_items, all_files, all_bytes)
SELECT :migration_id::uuid, :step::text, nullif(count(*), 0), sum(files), sum(size_bytes)
FROM migration_items
WHERE migration_id = :migration_id::uuid AND gone_at IS NULL
    AND CASE :step::text
        WHEN 'copy' THEN status = 'pending'
        WHEN 'verify' THEN status IN ('imported', 'archived') AND (
            NOT :only_new::boolean
            OR CASE WHEN :deep::boolean THEN deeply_verified_at ELSE verified_at END IS NULL
        )
        ELSE true
    END
ON CONFLICT (migration_id, step) DO UPDATE SET
    began_at = clock_timestamp(), seen_at = clock_timestamp(), ended_at = NULL, items = 0,
    files = 0, size_bytes = 0, troubled = 0, all_items = excluded.all_items,
    all_files = excluded.all_files, all_bytes = excluded.all_bytes;

-- name: count_step!
-- So much more is done.
UPDATE migration_steps
SET items = items + :items, files = files + :files, size_bytes = size_bytes + :size_bytes,
    troubled = troubled + :troubled, seen_at = clock_timestamp()
WHERE migration_id = :migration_id AND step = :step;

-- name: end_step!
-- Nothing is left to do in a step.
UPDATE migration_steps SET ended_at = clock_timestamp(), seen_at = clock_timestamp()
WHERE migration_id = :migration_id AND step = :step;

-- name: steps_of_migration
-- What each step has done, in the order in which they began.
SELECT step, began_at, seen_at, ended_at, items, files, size_bytes, troubled, all_items, all_files, all_bytes
FROM migration_steps
WHERE migration_id = :migration_id
ORDER BY began_at, step;

-- name: is_migration_held
-- Whether somebody works on a migration: whoever holds what hold_migration asks for.
SELECT EXISTS (
    SELECT FROM pg_locks AS l
    INNER JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.classid = (hashtext('agentruns migration')::bigint & 4294967295)::oid
        AND l.objid = (hashtext(:id::text)::bigint & 4294967295)::oid
);
