-- name: tasks_page
-- Tasks, newest first.
SELECT id, agent_id, title, description, status, status_at, metadata,
    created_at, started_at, finished_at, updated_at
FROM tasks
WHERE (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:status::text IS NULL OR status = :status)
    AND (:after_at::timestamptz IS NULL OR (created_at, id) < (:after_at, :after_id::uuid))
ORDER BY created_at DESC, id DESC
LIMIT :rows;

-- name: task
-- One task.
SELECT id, agent_id, title, description, status, status_at, metadata,
    created_at, started_at, finished_at, updated_at
FROM tasks
WHERE id = :id;

-- name: insert_tasks
-- Tasks that are not there yet; tells which were new.
INSERT INTO tasks (
    id, agent_id, title, description, status, status_at, metadata,
    created_at, started_at, finished_at
)
SELECT id, agent_id, title, description, status, status_at, metadata,
    created_at, started_at, finished_at
FROM json_to_recordset(:tasks::json) AS told (
    id uuid, agent_id text, title text, description text, status text, status_at timestamptz,
    metadata jsonb, created_at timestamptz, started_at timestamptz, finished_at timestamptz
)
ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: advance_tasks
-- What is told of known tasks, where it counts against what is known; tells where it did.
UPDATE tasks AS known
SET title = told.title, description = told.description, metadata = told.metadata,
    status = told.status, status_at = told.status_at, finished_at = told.finished_at,
    updated_at = clock_timestamp(), evidence_at = clock_timestamp()
FROM json_to_recordset(:tasks::json) AS told (
    id uuid, agent_id text, title text, description text, status text, status_at timestamptz,
    metadata jsonb, finished_at timestamptz
)
WHERE known.id = told.id AND known.agent_id = told.agent_id
    AND (
        known.status || '>' || told.status = ANY(:one_way::text[])
        OR (
            known.status || '>' || told.status = ANY(:by_time::text[])
            AND (told.status_at, told.status COLLATE "C")
            > (known.status_at, known.status COLLATE "C")
        )
    )
RETURNING known.id;

-- name: start_tasks_earlier
-- The earliest start that anybody told, however late it is told; tells where it changed.
UPDATE tasks AS known
SET started_at = told.started_at,
    updated_at = clock_timestamp(), evidence_at = clock_timestamp()
FROM json_to_recordset(:tasks::json) AS told (id uuid, agent_id text, started_at timestamptz)
WHERE known.id = told.id AND known.agent_id = told.agent_id
    AND told.started_at < COALESCE(known.started_at, 'infinity')
RETURNING known.id;

-- name: lock_tasks
-- Everybody locks in the order of the ids, so that two writers wait instead of deadlocking.
SELECT id FROM tasks WHERE id = ANY(:ids::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: touch_tasks!
-- Something about these tasks was stored.
UPDATE tasks SET evidence_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = ANY(:ids::uuid[]);
