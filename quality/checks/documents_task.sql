-- name: unknown task in MongoDB
-- table: tasks
-- severity: error
-- message: Log entries or memories name a task that PostgreSQL does not know.
SELECT collection, agent, told AS task_id, first_at
FROM document_differences
WHERE kind = 'unknown task'
    -- A delivery writes log entries before the row of their task.
    AND seen_at + (SELECT grace FROM newest_inventory) <= clock_timestamp()
    AND NOT EXISTS (SELECT FROM tasks WHERE tasks.id = document_differences.task)
    AND NOT EXISTS (
        SELECT FROM deleted_tasks WHERE deleted_tasks.task_id = document_differences.task
    )
