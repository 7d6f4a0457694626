-- name: verdict without scorer
-- table: evaluations
-- severity: error
-- message: The verdict names no scorer, or no version of it.
SELECT id, task_id
FROM evaluations
WHERE coalesce(scorer, '') = '' OR coalesce(scorer_version, '') = ''
