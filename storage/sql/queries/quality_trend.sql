-- How the checks went, run by run.

-- name: ended_quality_run
-- One run that came to its end, or the newest.
SELECT id, started_at, finished_at, snapshot_id, passed
FROM quality_runs
WHERE finished_at IS NOT NULL AND (:id::uuid IS NULL OR id = :id::uuid)
ORDER BY started_at DESC, id DESC
LIMIT 1;

-- name: quality_trend
-- What the last runs found, up to a moment, the oldest first.
SELECT
    runs.id, runs.started_at, runs.passed, counted.errors, counted.warnings, counted.infos,
    counted.bad_rows
FROM (
    SELECT id, started_at, passed
    FROM quality_runs
    WHERE finished_at IS NOT NULL AND started_at <= :until
    ORDER BY started_at DESC, id DESC
    LIMIT :rows
) AS runs
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE severity = 'error') AS errors,
        count(*) FILTER (WHERE severity = 'warning') AS warnings,
        count(*) FILTER (WHERE severity = 'info') AS infos,
        coalesce(sum(bad_rows), 0)::bigint AS bad_rows
    FROM quality_results
    WHERE run_id = runs.id AND NOT passed
) AS counted
ORDER BY runs.started_at, runs.id;

-- name: quality_checks_trend
-- How many bad rows some checks found in some runs.
SELECT run_id, name, bad_rows
FROM quality_results
WHERE run_id = ANY(:runs::uuid []) AND name = ANY(:names::text []);
