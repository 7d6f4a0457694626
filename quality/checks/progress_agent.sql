-- name: progress of another agent
-- table: task_progress
-- severity: error
-- message: The progress belongs to another agent than its task.
SELECT task_progress.id, task_progress.agent_id, tasks.agent_id AS agent_of_task
FROM task_progress
INNER JOIN tasks ON tasks.id = task_progress.task_id
WHERE task_progress.agent_id IS DISTINCT FROM tasks.agent_id
