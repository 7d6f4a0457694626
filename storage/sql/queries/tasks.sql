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
SET status = told.status, status_at = told.status_at, finished_at = told.finished_at,
    metadata = known.metadata || told.metadata,
    updated_at = clock_timestamp(), evidence_at = clock_timestamp()
FROM json_to_recordset(:tasks::json) AS told (
    id uuid, agent_id text, status text, status_at timestamptz, metadata jsonb,
    finished_at timestamptz
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

-- name: complete_tasks
-- What counts however late it is told: the words of the earliest creation, the earliest start,
-- facts that nobody told otherwise; tells where something changed.
UPDATE tasks AS known
SET (created_at, title, description) = (
        SELECT words.created_at, words.title, words.description
        FROM (
            VALUES (known.created_at, known.title, known.description),
                (told.created_at, told.title, told.description)
        ) AS words (created_at, title, description)
        ORDER BY created_at, title COLLATE "C", description COLLATE "C" NULLS LAST
        LIMIT 1
    ),
    started_at = least(known.started_at, told.started_at),
    metadata = told.metadata || known.metadata,
    updated_at = clock_timestamp(), evidence_at = clock_timestamp()
FROM json_to_recordset(:tasks::json) AS told (
    id uuid, agent_id text, title text, description text, metadata jsonb,
    created_at timestamptz, started_at timestamptz
)
WHERE known.id = told.id AND known.agent_id = told.agent_id
    AND (
        told.started_at < COALESCE(known.started_at, 'infinity')
        OR told.metadata || known.metadata <> known.metadata
        OR (
            told.created_at, told.title COLLATE "C", told.description IS NULL,
            told.description COLLATE "C"
        ) < (
            known.created_at, known.title COLLATE "C", known.description IS NULL,
            known.description COLLATE "C"
        )
    )
RETURNING known.id;

-- name: lock_tasks
-- Everybody locks in the order of the ids, so that two writers wait instead of deadlocking.
SELECT id FROM tasks WHERE id = ANY(:ids::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: heartbeat_tasks!
-- The recorders of these tasks live, although there may be no news.
UPDATE tasks SET heartbeat_at = clock_timestamp()
WHERE id = ANY(:ids::uuid[]) AND status = 'in_progress';

-- name: touch_tasks!
-- Something about these tasks was stored.
UPDATE tasks SET evidence_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = ANY(:ids::uuid[]);
