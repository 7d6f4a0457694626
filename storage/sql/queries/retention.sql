-- How long what is recorded is kept, and what is held.

-- name: policies
-- Every policy, or one.
SELECT name, kind, agents, statuses, older_than, keep_last, keep_below, scorer, keep_tagged, enabled,
    changed_at, changed_by
FROM retention_policies
WHERE :name::text IS NULL OR name = :name
ORDER BY name;

-- name: put_policy!
-- Add a policy, or change the one of that name.
INSERT INTO retention_policies (
    name, kind, agents, statuses, older_than, keep_last, keep_below, scorer, keep_tagged, enabled
)
VALUES (
    :name, :kind, :agents, :statuses, :older_than, :keep_last, :keep_below, :scorer, :keep_tagged,
    :enabled
)
ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind, agents = excluded.agents, statuses = excluded.statuses,
    older_than = excluded.older_than, keep_last = excluded.keep_last,
    keep_below = excluded.keep_below, scorer = excluded.scorer,
    keep_tagged = excluded.keep_tagged, enabled = excluded.enabled,
    changed_at = clock_timestamp(), changed_by = session_user;

-- name: remove_policy!
-- A policy is over.
DELETE FROM retention_policies WHERE name = :name;

-- name: hold_task
-- Have nothing delete a task, or say anew why.
INSERT INTO task_holds (task_id, agent_id, reason)
SELECT id, agent_id, :reason FROM tasks WHERE id = :task_id
ON CONFLICT (task_id) DO UPDATE SET reason = excluded.reason
RETURNING task_id, agent_id, reason, held_at, held_by;

-- name: release_task!
-- A task may be deleted again.
DELETE FROM task_holds WHERE task_id = :task_id;

-- name: holds_page
-- The next tasks that are held.
SELECT task_id, agent_id, reason, held_at, held_by
FROM task_holds
WHERE (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND task_id > :after
ORDER BY task_id
LIMIT :rows;

-- name: judge_tasks
-- The next ended tasks, and why a policy keeps each of them; NULL when nothing speaks for it.
WITH page AS (
    SELECT id, agent_id, status, metadata, created_at,
        -- Of what arrived late, nobody has had the use for so long.
        greatest(coalesce(finished_at, status_at), evidence_at) AS last_at,
        agent_id LIKE :agents AND status = ANY(:statuses::text []) AS is_meant
    FROM tasks
    WHERE status IN ('completed', 'failed', 'cancelled', 'interrupted')
        AND (agent_id, id) > (:after_agent_id, :after_id)
    ORDER BY agent_id, id
    LIMIT :rows
),

newest AS (
    SELECT its.agent_id, min(last.created_at) AS since
    FROM (SELECT DISTINCT agent_id FROM page WHERE is_meant) AS its
    CROSS JOIN LATERAL (
        SELECT t.created_at
        FROM tasks AS t
        WHERE t.agent_id = its.agent_id AND t.status = ANY(:statuses::text [])
        ORDER BY t.created_at DESC
        LIMIT coalesce(:keep_last::integer, 0)
    ) AS last
    GROUP BY its.agent_id
)

SELECT page.agent_id, page.id,
    CASE
        WHEN NOT page.is_meant THEN 'not meant'
        WHEN page.last_at > :before THEN 'too young'
        WHEN page.created_at >= newest.since THEN 'among the newest'
        WHEN EXISTS (SELECT FROM task_holds AS hold WHERE hold.task_id = page.id) THEN 'held'
        WHEN page.metadata -> 'tags' ? 'hold' THEN 'tagged hold'
        WHEN page.metadata -> 'tags' ?| :keep_tagged::text [] THEN 'tagged'
        WHEN :keep_below::double precision IS NOT NULL AND EXISTS (
            SELECT FROM (
                SELECT DISTINCT ON (e.scorer) e.score
                FROM evaluations AS e
                WHERE e.task_id = page.id AND (:scorer::text IS NULL OR e.scorer = :scorer)
                ORDER BY e.scorer, greatest(e.created_at, e.evidence_at) DESC
            ) AS latest
            WHERE latest.score < :keep_below
        ) THEN 'scored low'
        WHEN (
            SELECT bool_or(m.cutover_at IS NULL)
            FROM migration_items AS i
            INNER JOIN migrations AS m ON m.id = i.migration_id
            WHERE i.task_ids @> ARRAY[page.id]
        ) THEN 'its migration is not cut over'
        WHEN (
            SELECT max(cardinality(i.task_ids)) FROM migration_items AS i
            WHERE i.task_ids @> ARRAY[page.id]
        ) > 1 THEN 'shares its archive'
    END AS why_kept
FROM page
LEFT JOIN newest ON newest.agent_id = page.agent_id
ORDER BY page.agent_id, page.id;

-- name: lock_tasks_to_retain
-- Nobody hangs anything on these tasks, holds or changes them until the transaction ends.
SELECT id, agent_id FROM tasks WHERE id = ANY(:ids::uuid []) ORDER BY id FOR UPDATE;

-- name: weigh_tasks
-- How much these tasks are, by agent: rows in PostgreSQL, and what their objects take.
SELECT t.agent_id, array_agg(t.id) AS ids, count(*) AS tasks,
    count(*) + sum(steps.number) + sum(verdicts.number) + sum(files.number) AS rows,
    sum(objects.number)::bigint AS objects, sum(objects.size_bytes)::bigint AS size_bytes
FROM tasks AS t
CROSS JOIN LATERAL (SELECT count(*) AS number FROM task_progress WHERE task_id = t.id) AS steps
CROSS JOIN LATERAL (SELECT count(*) AS number FROM evaluations WHERE task_id = t.id) AS verdicts
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM binary_file_metadata WHERE task_id = t.id
) AS files
CROSS JOIN LATERAL (
    SELECT count(*) AS number, coalesce(sum(size_bytes), 0) AS size_bytes
    FROM (
        SELECT DISTINCT bucket, object_path, size_bytes
        FROM binary_file_metadata
        WHERE task_id = t.id
    ) AS its
) AS objects
WHERE t.id = ANY(:ids::uuid [])
GROUP BY t.agent_id
ORDER BY t.agent_id;

-- name: count_old_passes
-- How many evaluation passes are older than this, but for the newest.
SELECT count(*) FROM evaluation_passes
WHERE started_at < :before AND started_at < (
    SELECT min(started_at)
    FROM (
        SELECT started_at FROM evaluation_passes ORDER BY started_at DESC LIMIT :keep_last
    ) AS newest
);

-- name: prune_passes!
-- Some of them.
DELETE FROM evaluation_passes
WHERE id = ANY(ARRAY(
    SELECT id FROM evaluation_passes
    WHERE started_at < :before AND started_at < (
        SELECT min(started_at)
        FROM (
            SELECT started_at FROM evaluation_passes ORDER BY started_at DESC LIMIT :keep_last
        ) AS newest
    )
    ORDER BY started_at
    LIMIT :rows
));

-- name: count_old_checks
-- How many runs of the checks are older than this, but for the newest.
SELECT count(*) FROM quality_runs
WHERE started_at < :before AND started_at < (
    SELECT min(started_at)
    FROM (
        SELECT started_at FROM quality_runs ORDER BY started_at DESC LIMIT :keep_last
    ) AS newest
);

-- name: prune_checks!
-- Some of them, with what they found.
DELETE FROM quality_runs
WHERE id = ANY(ARRAY(
    SELECT id FROM quality_runs
    WHERE started_at < :before AND started_at < (
        SELECT min(started_at)
        FROM (
            SELECT started_at FROM quality_runs ORDER BY started_at DESC LIMIT :keep_last
        ) AS newest
    )
    ORDER BY started_at
    LIMIT :rows
));
