-- `now()`, not `clock_timestamp()`: no index serves a bound that changes while the query runs.

-- name: silent_tasks
-- Tasks in progress of which nothing was heard for a while, the oldest first.
SELECT id, greatest(updated_at, heartbeat_at)
FROM tasks
WHERE status = 'in_progress'
    AND created_at < now() - :seconds * interval '1 second'
    AND greatest(updated_at, heartbeat_at) < now() - :seconds * interval '1 second'
ORDER BY created_at
LIMIT :rows;

-- name: oldest_unevaluated_task
-- The task that ended first, of those of a time span, and has no verdict yet.
SELECT id, status_at
FROM tasks
WHERE created_at > now() - :days * interval '1 day'
    AND status IN ('completed', 'failed', 'cancelled', 'interrupted')
    AND NOT EXISTS (SELECT FROM evaluations WHERE evaluations.task_id = tasks.id)
ORDER BY created_at
LIMIT 1;

-- name: interrupt_dead_runs
-- Runs in progress that fell silent, where the newest run on the same machine began after their
-- last sign of life and in another boot: their processes are gone for sure. Tells which.
WITH dead AS (
    SELECT silent.id,
        -- News counts only when it is newer than what is known.
        greatest(
            silent.heartbeat_at, silent.evidence_at, silent.status_at + interval '1 millisecond'
        ) AS ended_at
    FROM tasks AS silent
    CROSS JOIN LATERAL (
        SELECT later.metadata #>> '{recorder,boot_id}' AS boot_id
        FROM tasks AS later
        WHERE later.metadata #>> '{recorder,machine}' = silent.metadata #>> '{recorder,machine}'
            AND later.metadata #>> '{recorder,host}' = silent.metadata #>> '{recorder,host}'
            -- Also by the machine's own clock, which need not agree with this one.
            AND later.started_at
            > greatest(silent.started_at, silent.heartbeat_at, silent.evidence_at)
        ORDER BY later.started_at DESC
        LIMIT 1
    ) AS newest
    WHERE silent.status = 'in_progress'
        AND silent.created_at < now() - :seconds * interval '1 second'
        AND greatest(silent.heartbeat_at, silent.evidence_at)
        < now() - :seconds * interval '1 second'
        AND newest.boot_id <> silent.metadata #>> '{recorder,boot_id}'
    ORDER BY silent.created_at
    LIMIT :rows
    -- Whoever holds a task has news of it.
    FOR NO KEY UPDATE OF silent SKIP LOCKED
)
UPDATE tasks AS known
SET status = 'interrupted', status_at = dead.ended_at, finished_at = dead.ended_at,
    metadata = known.metadata || jsonb_build_object('reason', :reason::text),
    updated_at = clock_timestamp(), evidence_at = clock_timestamp()
FROM dead
WHERE known.id = dead.id
RETURNING known.id;
