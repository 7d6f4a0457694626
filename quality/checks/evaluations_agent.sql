-- name: verdict of another agent
-- table: evaluations
-- severity: error
-- message: The verdict belongs to another agent than its task.
SELECT evaluations.id, evaluations.agent_id, tasks.agent_id AS agent_of_task
FROM evaluations
INNER JOIN tasks ON tasks.id = evaluations.task_id
WHERE evaluations.agent_id IS DISTINCT FROM tasks.agent_id
