-- What MongoDB tells of tasks, compared with the tasks here.

-- name: make_room_for_documents!
-- For the next task ids of an agent: PostgreSQL takes no COPY into a table with row security.
CREATE TEMP TABLE listed_documents (
    told text NOT NULL, task uuid, first_at timestamptz
) ON COMMIT DROP;

-- name: copy_documents!
-- The next task ids of an agent.
COPY listed_documents (told, task, first_at) FROM STDIN;

-- name: compare_documents!
-- Keep those that do not fit the tasks. Deleted tasks are no finding: whoever deletes comes back
-- for what is late.
INSERT INTO document_differences (
    kind, collection, agent, told, task, first_at, snapshot_id
)
SELECT compared.kind, :collection, :agent, compared.told, compared.task, compared.first_at,
    :snapshot_id
FROM (
    SELECT
        found.kind, listed.told,
        -- Of several documents that tell one id in several ways, any.
        min(listed.task::text)::uuid AS task,
        min(listed.first_at) AS first_at
    FROM listed_documents AS listed
    LEFT JOIN tasks ON tasks.id = listed.task
    CROSS JOIN LATERAL (
        VALUES
        (
            'unknown task',
            tasks.id IS NULL AND NOT EXISTS (
                SELECT FROM deleted_tasks WHERE deleted_tasks.task_id = listed.task
            )
        ),
        ('another agent', tasks.agent_id <> :agent),
        -- Not its start, which somebody else may tell later. MongoDB keeps milliseconds.
        ('before its task', listed.first_at < date_trunc('milliseconds', tasks.created_at))
    ) AS found (kind, is_so)
    WHERE found.is_so
    GROUP BY found.kind, listed.told
) AS compared
WHERE NOT EXISTS (
    SELECT FROM deletions
    WHERE deletions.agent_id = :agent AND task_id IS NULL AND readmitted_at IS NULL
)
ON CONFLICT (kind, collection, agent, told) DO UPDATE
SET snapshot_id = excluded.snapshot_id, first_at = excluded.first_at;

-- name: forget_document_differences!
-- What an older check found and this one did not.
DELETE FROM document_differences
WHERE snapshot_id <> :snapshot_id;
