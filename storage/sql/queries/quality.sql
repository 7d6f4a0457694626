-- Runs of the checks, and what each check found.

-- name: open_quality_run!
-- Begin a run.
INSERT INTO quality_runs (id) VALUES (:id)
ON CONFLICT DO NOTHING;

-- name: close_quality_run
-- A run came to its end; gives it.
UPDATE quality_runs
SET finished_at = clock_timestamp(), snapshot_id = :snapshot_id, passed = :passed
WHERE id = :id
RETURNING id, started_at, finished_at, snapshot_id, passed;

-- name: insert_quality_result*!
-- What one check found.
INSERT INTO quality_results (
    run_id, name, subject, severity, passed, bad_rows, message, sample, fault
)
VALUES (
    :run_id, :name, :subject, :severity, :passed, :bad_rows, :message, :sample, :fault
)
ON CONFLICT DO NOTHING;

-- name: quality_runs_page
-- Runs, newest first.
SELECT id, started_at, finished_at, snapshot_id, passed
FROM quality_runs
WHERE :after_at::timestamptz IS NULL
    OR (started_at, id) < (:after_at::timestamptz, :after_id::uuid)
ORDER BY started_at DESC, id DESC
LIMIT :rows;

-- name: quality_results_of_run
-- What the checks of one run found.
SELECT name, subject, severity, passed, bad_rows, message, sample, fault
FROM quality_results
WHERE run_id = :run_id
ORDER BY name;

-- name: quality_history
-- How one check went, newest first.
SELECT runs.id, runs.started_at, results.passed, results.bad_rows
FROM quality_results AS results
INNER JOIN quality_runs AS runs ON runs.id = results.run_id
WHERE results.name = :name
    AND (:after_id::uuid IS NULL OR results.run_id < :after_id)
ORDER BY results.run_id DESC
LIMIT :rows;
