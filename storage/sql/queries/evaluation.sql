-- name: open_pass!
-- A pass that has not looked at anything yet.
INSERT INTO evaluation_passes (id, scorers, parameters) VALUES (:id, :scorers, :parameters);

-- name: count_batch!
-- Add a batch to the counts of its pass, unless it was added before its reply got lost.
UPDATE evaluation_passes
SET eligible = eligible + :evaluated + :skipped + :failed,
    evaluated = evaluated + :evaluated, skipped = skipped + :skipped, failed = failed + :failed,
    reached_agent_id = :reached_agent_id, reached_task_id = :reached_task_id
WHERE id = :id
    AND (reached_agent_id, reached_task_id) = (:after_agent_id::text, :after_task_id::uuid);

-- name: close_pass
-- The final counts of a pass.
UPDATE evaluation_passes
SET finished_at = COALESCE(finished_at, clock_timestamp()), errors = :errors
WHERE id = :id
RETURNING eligible, evaluated, skipped, failed;

-- name: hold_the_pass
-- Whether nobody else is in a pass; while this transaction lasts, nobody else gets in.
SELECT pg_try_advisory_xact_lock(:key::bigint);

-- name: evidence_of_batch
-- The next ended tasks, their verdicts that hold, and the evidence of those that lack some.
-- LATERAL throughout, one index scan a task: joined as a whole, the planner would at times read
-- a whole table, or gather each task's evidence once for each other task.
WITH page AS MATERIALIZED (
    SELECT id, agent_id, status, evidence_at, created_at, started_at, finished_at, metadata
    FROM tasks
    WHERE status IN ('completed', 'failed', 'cancelled', 'interrupted')
        AND (agent_id, id) > (:after_agent_id::text, :after_task_id::uuid)
        AND (:agent_id::text IS NULL OR agent_id = :agent_id)
        AND (:since::timestamptz IS NULL OR evidence_at >= :since)
    ORDER BY agent_id, id
    LIMIT :size::int
),
seen AS MATERIALIZED (
    SELECT page.*, verdicts.*
    FROM page
    CROSS JOIN LATERAL (
        SELECT
            count(*) = 0 AS is_new,
            count(DISTINCT v.scorer) FILTER (WHERE v.holds) < cardinality(:scorers::text[])
            AS is_due,
            array_agg(v.scorer ORDER BY v.evidence_at, v.created_at) FILTER (WHERE v.holds)
            AS scorers,
            array_agg(v.score ORDER BY v.evidence_at, v.created_at) FILTER (WHERE v.holds)
            AS scores
        FROM (
            SELECT e.scorer, e.score, e.evidence_at, e.created_at,
                e.evidence_at >= page.evidence_at
                AND (:versions::text[])[array_position(:scorers::text[], e.scorer)]
                = e.scorer_version
                AND NOT :force::boolean AS holds
            FROM evaluations AS e
            WHERE e.task_id = page.id
        ) AS v
    ) AS verdicts
),
task AS MATERIALIZED (
    SELECT seen.*,
        is_due AND count(*) FILTER (WHERE is_due) OVER (ORDER BY agent_id, id) <= :room::int
        AS is_gathered
    FROM seen
)
SELECT
    task.id, task.agent_id, task.status, task.evidence_at,
    task.created_at, task.started_at, task.finished_at,
    CASE
        WHEN jsonb_typeof(task.metadata -> 'attempts') = 'number'
        THEN greatest(1, least((task.metadata ->> 'attempts')::numeric, 1e6))::int
        ELSE 1
    END AS attempts,
    progress.updates, progress.steps, progress.step_errors, progress.percent,
    progress.gap_mean_s, progress.gap_max_s,
    CASE
        WHEN jsonb_typeof(task.metadata #> '{usage,total_tokens}') = 'number'
        THEN least((task.metadata #>> '{usage,total_tokens}')::numeric, 1e12)::bigint
        ELSE progress.tokens::bigint
    END AS tokens,
    CASE
        WHEN jsonb_typeof(task.metadata #> '{usage,response_cost}') = 'number'
        THEN least((task.metadata #>> '{usage,response_cost}')::numeric, 1e12)::float8
        ELSE progress.cost
    END AS cost,
    files.files, files.screenshots, files.file_bytes,
    task.is_new, task.is_due, task.is_gathered, task.scorers, task.scores
FROM task
CROSS JOIN LATERAL (
    SELECT
        count(*) AS updates,
        count(DISTINCT told.step) + count(*) FILTER (WHERE told.step IS NULL) AS steps,
        count(*) FILTER (
            WHERE COALESCE(told.data -> 'error', 'null') NOT IN ('null', 'false', '""')
        ) AS step_errors,
        max(told.progress_percent) AS percent,
        extract(EPOCH FROM avg(told.gap))::float8 AS gap_mean_s,
        extract(EPOCH FROM max(told.gap))::float8 AS gap_max_s,
        -- Bounded, so that no number that somebody recorded overflows a sum.
        sum(least((told.usage -> 'total_tokens')::numeric, 1e12)::float8)
        FILTER (WHERE jsonb_typeof(told.usage -> 'total_tokens') = 'number') AS tokens,
        sum(least((told.usage -> 'response_cost')::numeric, 1e12)::float8)
        FILTER (WHERE jsonb_typeof(told.usage -> 'response_cost') = 'number') AS cost
    FROM (
        SELECT p.step, p.progress_percent, p.data, p.data -> 'usage' AS usage,
            p."timestamp" - lag(p."timestamp") OVER (ORDER BY p."timestamp") AS gap
        FROM task_progress AS p
        WHERE p.task_id = task.id AND task.is_gathered
    ) AS told
) AS progress
CROSS JOIN LATERAL (
    SELECT
        count(*) AS files,
        count(*) FILTER (WHERE f.bucket = 'screenshots') AS screenshots,
        COALESCE(sum(f.size_bytes), 0)::bigint AS file_bytes
    FROM binary_file_metadata AS f
    WHERE f.task_id = task.id AND f.missing_since IS NULL AND task.is_gathered
) AS files
ORDER BY task.agent_id, task.id;

-- name: make_room_for_verdicts!
-- Where the verdicts of a batch wait: a table with row security takes no COPY.
CREATE TEMP TABLE IF NOT EXISTS incoming_verdicts (
    id uuid, task_id uuid, agent_id text, scorer text, scorer_version text, score float8,
    report text, metrics jsonb, evidence_digest text, evidence_at timestamptz
) ON COMMIT DROP;

-- name: copy_verdicts!
-- The way into that table.
COPY incoming_verdicts FROM STDIN;

-- name: store_new_verdicts!
-- The quick way for the verdicts on tasks that have none.
WITH incoming AS (DELETE FROM incoming_verdicts RETURNING *)
INSERT INTO evaluations (
    id, task_id, agent_id, pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, evidence_at, created_at
)
SELECT id, task_id, agent_id, :pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, evidence_at, :created_at
FROM incoming;

-- name: store_verdicts!
-- New verdicts; one on equal evidence stays, and covers the newer moment as well.
WITH incoming AS (DELETE FROM incoming_verdicts RETURNING *)
INSERT INTO evaluations AS known (
    id, task_id, agent_id, pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, evidence_at, created_at
)
SELECT id, task_id, agent_id, :pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, evidence_at, :created_at
FROM incoming
ON CONFLICT (task_id, scorer, scorer_version, evidence_digest)
DO UPDATE SET evidence_at = greatest(known.evidence_at, excluded.evidence_at);

-- name: verdicts_of_tasks
-- One scorer's newest verdict on each of these tasks, with the task's title, the worst first.
SELECT t.id, t.agent_id, t.title, t.status, latest.score, latest.report
FROM tasks AS t
CROSS JOIN LATERAL (
    SELECT e.score, e.report
    FROM evaluations AS e
    WHERE e.task_id = t.id AND e.scorer = :scorer::text AND e.scorer_version = :version::text
    ORDER BY e.evidence_at DESC NULLS LAST
    LIMIT 1
) AS latest
WHERE t.id = ANY(:ids::uuid[])
ORDER BY latest.score, t.id;
