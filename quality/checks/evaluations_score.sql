-- name: score out of range
-- table: evaluations
-- severity: error
-- message: The score is not between 0 and 1.
SELECT id, task_id, scorer, score
FROM evaluations
WHERE NOT score BETWEEN 0 AND 1
