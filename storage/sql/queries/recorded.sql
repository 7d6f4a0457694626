-- Runs that were recorded live and also lie in a folder.

-- name: live_tasks_of_runs
-- The live tasks that each of some runs may have been recorded as: those that took a step of the
-- same call at that time, else those that were asked the same then; imported tasks have ids of
-- version 5. The nearest in time come first.
SELECT r.number, t.id, t.metadata #>> '{source,by}' = 'callback' AS is_own, found.by_step,
    t.description IS NOT DISTINCT FROM r.asked AS is_asked_so,
    t.status IN ('pending', 'in_progress')
    AND greatest(t.updated_at, t.evidence_at, t.heartbeat_at)
    > clock_timestamp() - make_interval(secs => :silent) AS goes_on,
    abs(extract(EPOCH FROM t.created_at - r.began_at)) AS apart,
    -- A run of the callback's own is in one folder, however often that was copied.
    EXISTS (
        SELECT FROM migration_items AS i
        WHERE i.recorded_as = t.id AND i.began_at <> r.began_at
            AND t.metadata #>> '{source,by}' = 'callback'
    ) AS is_taken
FROM unnest(
    :began::timestamptz [], :stepped::timestamptz [], :calls::text [], :asked::text []
) WITH ORDINALITY AS r (began_at, stepped_at, call_id, asked, number)
CROSS JOIN LATERAL (
    SELECT near.id, bool_or(near.by_step) AS by_step
    FROM (
        (
            SELECT p.task_id AS id, TRUE AS by_step
            FROM task_progress AS p
            WHERE p.agent_id = :agent_id AND p.data ->> 'call_id' = r.call_id
                AND p."timestamp" >= r.stepped_at - make_interval(secs => :apart)
                AND p."timestamp" <= r.stepped_at + make_interval(secs => :apart)
            LIMIT 20
        )
        UNION ALL
        (
            SELECT a.id, FALSE AS by_step
            FROM tasks AS a
            WHERE a.agent_id = :agent_id AND a.description IS NOT DISTINCT FROM r.asked
                AND a.created_at >= r.began_at - make_interval(secs => :apart)
                AND a.created_at <= r.began_at + make_interval(secs => :apart)
            LIMIT 20
        )
    ) AS near
    WHERE substr(near.id::text, 15, 1) <> '5'
    GROUP BY near.id
) AS found
INNER JOIN tasks AS t ON t.id = found.id
ORDER BY r.number, found.by_step DESC, apart, t.id;

-- name: look_for_recordings!
-- Have imported runs of late copied again of which a live recording arrived since.
UPDATE migration_items AS again SET status = 'pending', copied_fingerprint = NULL
FROM (
    SELECT i.id
    FROM migrations AS m
    INNER JOIN migration_items AS i ON i.migration_id = m.id
    CROSS JOIN LATERAL (
        (
            SELECT p.task_id AS id
            FROM task_progress AS p
            WHERE p.agent_id = m.agent_id AND p.data ->> 'call_id' = i.call_id
                AND p."timestamp" >= i.stepped_at - make_interval(secs => :apart)
                AND p."timestamp" <= i.stepped_at + make_interval(secs => :apart)
                AND substr(p.task_id::text, 15, 1) <> '5' AND p.task_id <> ALL(i.compared)
            LIMIT 1
        )
        UNION ALL
        (
            SELECT a.id
            FROM tasks AS t
            INNER JOIN tasks AS a ON a.agent_id = t.agent_id
                AND a.description IS NOT DISTINCT FROM t.description
            WHERE t.id = i.task_ids[1]
                AND a.created_at >= i.began_at - make_interval(secs => :apart)
                AND a.created_at <= i.began_at + make_interval(secs => :apart)
                AND substr(a.id::text, 15, 1) <> '5' AND a.id <> ALL(i.compared)
            LIMIT 1
        )
        LIMIT 1
    ) AS live
    WHERE m.id = :migration_id AND i.status = 'imported' AND i.recorded_as IS NULL
        AND i.gone_at IS NULL AND cardinality(i.compared) < 20
        AND i.began_at > clock_timestamp() - make_interval(days => :days)
) AS found
WHERE again.id = found.id;

-- name: tasks_to_supersede
-- Tasks of which nothing is needed: their runs are verified as their live recordings', no item that is
-- there names them, and no file that is gone is in their archives alone. Recordings never are such.
SELECT i.path, i.id, i.recorded_as, old.id
FROM migration_items AS i
CROSS JOIN LATERAL unnest(i.superseded) AS old (id)
WHERE i.migration_id = :migration_id AND i.superseded <> '{}' AND i.recorded_as IS NOT NULL
    AND i.verified_at IS NOT NULL AND substr(old.id::text, 15, 1) = '5'
    AND NOT EXISTS (
        SELECT FROM migration_items AS o
        WHERE o.task_ids @> ARRAY[old.id] AND o.gone_at IS NULL
    )
    AND NOT EXISTS (
        SELECT
        FROM (
            SELECT i.id
            UNION ALL
            SELECT o.id FROM migration_items AS o WHERE o.task_ids @> ARRAY[old.id]
        ) AS named
        CROSS JOIN LATERAL (
            SELECT g.item_id, g.sha256, g.gone_at
            FROM migration_files AS g
            WHERE g.item_id = named.id AND g.gone_at IS NOT NULL AND g.sha256 IS NOT NULL
            -- Each item's own files: else all that are gone are looked through.
            OFFSET 0
        ) AS f
        -- What went together with its item was in it when that was verified.
        WHERE (f.item_id <> i.id OR f.gone_at < coalesce(i.gone_at, 'infinity'))
            AND NOT EXISTS (
                SELECT FROM migration_files AS h
                WHERE h.item_id = i.id AND h.sha256 = f.sha256
                    AND coalesce(h.gone_at, 'infinity') >= coalesce(i.gone_at, 'infinity')
            )
    )
    AND (i.path, i.id) > (:after_path::bytea, :after_id::uuid)
ORDER BY i.path, i.id
LIMIT :rows;

-- name: own_records
-- How many records a task has that no folder brought; one that is held stays as well.
SELECT
    (
        SELECT count(*) FROM task_holds WHERE task_id = :old
    ) + (
        SELECT count(*) FROM task_progress
        WHERE task_id = :old AND substr(id::text, 15, 1) <> '5'
    ) + (
        SELECT count(*) FROM binary_file_metadata
        WHERE task_id = :old AND substr(id::text, 15, 1) <> '5'
    );

-- name: follow_verdicts!
-- The verdicts on a task become those on another, unless that has the same.
UPDATE evaluations AS e SET task_id = :new
WHERE e.task_id = :old AND NOT EXISTS (
    SELECT FROM evaluations AS o
    WHERE o.task_id = :new::uuid AND o.scorer = e.scorer AND o.scorer_version = e.scorer_version
        AND o.evidence_digest = e.evidence_digest
);

-- name: follow_gone_items!
-- What is no longer in a source names the task that remains.
UPDATE migration_items AS gone
SET task_ids = array_replace(gone.task_ids, :old::uuid, :new::uuid), recorded_as = :new::uuid,
    archive_path = there.archive_path
FROM migration_items AS there
WHERE gone.task_ids @> ARRAY[:old::uuid] AND gone.gone_at IS NOT NULL AND there.id = :item_id;

-- name: note_superseded!
-- A task that was superseded is gone.
UPDATE migration_items SET superseded = array_remove(superseded, :old::uuid) WHERE id = :item_id;

-- name: drop_verdicts!
-- The verdicts that the task that remains has as well.
DELETE FROM evaluations WHERE task_id = :old;

-- name: drop_steps!
-- The steps of a task.
DELETE FROM task_progress WHERE task_id = :old;

-- name: drop_files!
-- The files of a task.
DELETE FROM binary_file_metadata WHERE task_id = :old;

-- name: drop_task!
-- A task.
DELETE FROM tasks WHERE id = :old;
