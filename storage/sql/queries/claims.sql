-- Items of a migration shared among workers. Whoever gave no sign of life for a while holds nothing.

-- name: join_migration!
-- A worker begins.
INSERT INTO migration_workers (id, migration_id, helps, flow_run_id)
VALUES (:worker, :migration_id, :helps::uuid, :flow_run_id::uuid)
ON CONFLICT (id) DO NOTHING;

-- name: see_worker!
-- A worker lives; no row when it is not wanted, as it was given up or who held the migration is gone.
UPDATE migration_workers AS w SET seen_at = clock_timestamp()
WHERE w.id = :worker AND (
    w.helps IS NULL OR EXISTS (
        SELECT FROM migration_workers AS held
        WHERE held.id = w.helps AND held.seen_at > clock_timestamp() - make_interval(secs => :silent)
    )
);

-- name: leave_migration!
-- A worker ends, and holds nothing any more.
DELETE FROM migration_workers WHERE id = :worker;

-- name: forget_workers!
-- Whoever held the migration before is gone, as somebody else holds it now; and so are the silent.
DELETE FROM migration_workers
WHERE migration_id = :migration_id
    AND (helps IS NULL OR seen_at <= clock_timestamp() - make_interval(secs => :silent));

-- name: forget_runs!
-- Workers whose processes are known to have ended.
DELETE FROM migration_workers WHERE helps = :worker AND flow_run_id = ANY(:flow_run_ids::uuid []);

-- name: may_help
-- Whether nobody deletes what a migration brings; while this transaction lasts, nobody does.
SELECT pg_try_advisory_xact_lock_shared(hashtext('agentruns migration help'), hashtext(:id::text));

-- name: hold_help
-- Whether nobody helps with a migration; while this transaction lasts, nobody does.
SELECT pg_try_advisory_xact_lock(hashtext('agentruns migration help'), hashtext(:id::text));

-- name: claim_items
-- The next items that wait after a place and that nobody copies, up to a second of work a batch; now this worker copies them.
WITH free AS (
    SELECT i.id, i.path, i.files, i.size_bytes
    FROM migration_items AS i
    WHERE i.migration_id = :migration_id AND i.status = 'pending' AND i.gone_at IS NULL
        AND (i.path, i.id) > (:after_path::bytea, :after_id::uuid)
        AND CASE
            WHEN i.claimed_by IS NULL
            THEN i.claimed_at IS NULL OR i.claimed_at < coalesce(
                (
                    SELECT s.began_at FROM migration_steps AS s
                    WHERE s.migration_id = :migration_id AND s.step = 'copy'
                ),
                'infinity'
            )
            ELSE NOT EXISTS (
                SELECT FROM migration_workers AS w
                WHERE w.id = i.claimed_by
                    AND w.seen_at > clock_timestamp() - make_interval(secs => :silent)
            )
        END
    ORDER BY i.path, i.id
    LIMIT :rows
    FOR UPDATE OF i SKIP LOCKED
),

summed AS (
    SELECT id, path, files, size_bytes,
        sum(files) OVER before - files AS files_before,
        sum(size_bytes) OVER before - size_bytes AS bytes_before
    FROM free
    WINDOW before AS (ORDER BY path, id)
),

claimed AS (
    UPDATE migration_items AS i SET claimed_by = :worker, claimed_at = clock_timestamp()
    FROM summed AS s
    WHERE i.id = s.id AND s.files_before < :files AND s.bytes_before < :size_bytes
    RETURNING i.id, i.path, i.files, i.size_bytes
)

SELECT id, path, files, size_bytes FROM claimed
ORDER BY path, id;

-- name: release_items!
-- A worker is through with these items, whatever became of them.
UPDATE migration_items SET claimed_by = NULL
WHERE id = ANY(:ids::uuid []) AND claimed_by = :worker;

-- name: free_items!
-- What a worker claimed without ever hearing of it.
UPDATE migration_items SET claimed_by = NULL, claimed_at = NULL
WHERE migration_id = :migration_id AND status = 'pending' AND gone_at IS NULL
    AND claimed_by = :worker;

-- name: is_anything_left
-- Whether items wait that nobody tried since the step began, or that somebody copies now.
SELECT EXISTS (
    SELECT FROM migration_items AS i
    WHERE i.migration_id = :migration_id AND i.status = 'pending' AND i.gone_at IS NULL
        AND (
            i.claimed_by IS NOT NULL OR i.claimed_at IS NULL OR i.claimed_at < coalesce(
                (
                    SELECT s.began_at FROM migration_steps AS s
                    WHERE s.migration_id = :migration_id AND s.step = 'copy'
                ),
                'infinity'
            )
        )
);

-- name: is_anything_postponed
-- Whether an item waits that somebody tried, for another reason than this one.
SELECT EXISTS (
    SELECT FROM migration_items
    WHERE migration_id = :migration_id AND status = 'pending' AND gone_at IS NULL
        AND reason <> :reason
);
