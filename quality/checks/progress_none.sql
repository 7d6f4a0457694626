-- name: completed task without progress
-- table: task_progress
-- severity: info
-- message: The task is completed, and no progress of it is known.
SELECT tasks.id, tasks.agent_id, tasks.finished_at
FROM tasks
WHERE status = 'completed'
    -- A recorded command tells none.
    AND NOT metadata ? 'command'
    AND updated_at < (SELECT started_at - grace FROM newest_inventory)
    AND NOT EXISTS (SELECT FROM task_progress WHERE task_progress.task_id = tasks.id)
