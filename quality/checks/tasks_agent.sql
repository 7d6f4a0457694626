-- name: task without agent
-- table: tasks
-- severity: error
-- message: The task's agent id is empty or none that an agent can have.
SELECT id, agent_id
FROM tasks
WHERE agent_id IS NULL OR agent_id !~ '^[a-z0-9][a-z0-9_-]{0,56}$'
