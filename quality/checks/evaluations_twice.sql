-- name: verdict given twice
-- table: evaluations
-- severity: error
-- message: A scorer judged the same evidence of a task twice.
SELECT task_id, scorer, scorer_version, count(*) AS verdicts
FROM evaluations
GROUP BY task_id, scorer, scorer_version, evidence_digest
HAVING count(*) > 1
