-- name: log of another agent's task
-- table: tasks
-- severity: error
-- message: Log entries or memories of one agent name a task of another.
SELECT collection, agent, told AS task_id, tasks.agent_id AS agent_of_task
FROM document_differences
INNER JOIN tasks ON tasks.id = document_differences.task
WHERE kind = 'another agent' AND tasks.agent_id <> agent
