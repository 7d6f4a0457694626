-- name: deletion not finished
-- table: deletions
-- severity: warning
-- message: What was to be deleted for good is still there; see why finish-deletions does not end it.
SELECT id, agent_id, task_id, began_at
FROM deletions
WHERE finished_at IS NULL AND began_at < now() - interval '1 hour'
