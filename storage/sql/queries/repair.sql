-- Repairs: what is looked at, what is planned and what came of it.

-- name: hold_repair
-- Whether nobody else repairs; while this transaction lasts, nobody else does.
SELECT pg_try_advisory_xact_lock(hashtext('agentruns repair'), 0);

-- name: unfinished_repair
-- The newest repair, when it was begun lately, is to be applied and is not finished. Checks may have
-- taken its inventory away meanwhile: then little would be found in it.
SELECT id, began_at, snapshot_id, agent, collected_at, planned_at, is_applied, finished_at
FROM (SELECT * FROM repairs ORDER BY began_at DESC LIMIT 1) AS newest
WHERE is_applied AND finished_at IS NULL
    AND began_at > now() - :lately::interval
    AND agent IS NOT DISTINCT FROM :agent::text
    AND EXISTS (SELECT FROM inventory_snapshots WHERE inventory_snapshots.id = snapshot_id);

-- name: open_repair!
-- Begin a repair, or a plan of one.
INSERT INTO repairs (id, snapshot_id, agent, is_applied)
VALUES (:id, :snapshot_id, :agent, :is_applied)
ON CONFLICT DO NOTHING;

-- name: repair
-- One repair.
SELECT id, began_at, snapshot_id, agent, collected_at, planned_at, is_applied, finished_at
FROM repairs
WHERE id = :id;

-- name: note_collected!
-- All that has to be looked at is known.
UPDATE repairs SET collected_at = clock_timestamp() WHERE id = :id;

-- name: note_planned!
-- The plan is complete.
UPDATE repairs SET planned_at = clock_timestamp() WHERE id = :id AND planned_at IS NULL;

-- name: finish_repair!
-- All of the plan is done, or was found changed.
UPDATE repairs SET finished_at = clock_timestamp() WHERE id = :id AND finished_at IS NULL;

-- name: forget_old_repairs!
-- Plans that many newer ones came after; the audit log keeps what was done.
DELETE FROM repairs
WHERE began_at < (
    SELECT min(began_at)
    FROM (SELECT began_at FROM repairs ORDER BY began_at DESC LIMIT :keep) AS kept
);

-- name: collect_files!
-- The rows that a check would find something wrong with, and those whose object is said to be lost:
-- it may be back.
INSERT INTO repair_actions (repair_id, turn, id, kind, record, row_id, agent, reason, details)
SELECT :repair_id, 0, file.id, 'look', 'binary_file_metadata', file.id, file.agent_id, 'files',
    jsonb_strip_nulls(jsonb_build_object('elsewhere', max(moved.found)))
FROM binary_file_metadata AS file
LEFT JOIN tasks ON tasks.id = file.task_id
LEFT JOIN object_differences AS difference
    ON difference.file_id = file.id AND difference.snapshot_id = :snapshot_id
LEFT JOIN object_differences AS moved
    ON moved.file_id = file.id AND moved.snapshot_id = :snapshot_id
    AND moved.kind IN ('wrong bucket', 'agent differs')
WHERE (:agent::text IS NULL OR file.agent_id = :agent)
    AND (
        difference.file_id IS NOT NULL
        OR file.missing_since IS NOT NULL
        OR EXISTS (
            SELECT FROM object_readings AS reading
            WHERE reading.bucket = file.bucket AND reading.object_path = file.object_path
        )
        OR file.bucket IS NULL
        OR file.bucket NOT IN ('screenshots', 'binaries')
        OR file.sha256 IS NULL
        OR split_part(split_part(file.object_path, '/', 3), '.', 1) <> file.sha256
        OR split_part(file.object_path, '/', 2) <> coalesce(file.task_id::text, 'no-task')
        OR NOT starts_with(file.object_path, file.agent_id || '/')
        OR file.size_bytes IS NULL
        OR file.size_bytes < 0
        OR (file.task_id IS NOT NULL AND tasks.agent_id IS DISTINCT FROM file.agent_id)
        OR file.stored_at > clock_timestamp()
        OR coalesce(file.content_type, '') = ''
        OR (
            split_part(split_part(file.object_path, '/', 3), '.', 2)
            = ANY('{png,jpg,gif,webp}'::text [])
        )
        <> (file.content_type = ANY('{image/png,image/jpeg,image/gif,image/webp}'::text []))
    )
GROUP BY file.id
ON CONFLICT DO NOTHING;

-- name: collect_objects!
-- The objects without a row, and those whose name is none of ours.
INSERT INTO repair_actions (
    repair_id, turn, id, kind, bucket, object_path, agent, reason
)
SELECT :repair_id, 1, md5(bucket || '/' || object_path)::uuid, 'look', bucket, object_path, agent,
    CASE kind WHEN 'orphan' THEN 'objects' ELSE kind END
FROM object_differences
WHERE snapshot_id = :snapshot_id
    AND file_id IS NULL
    AND kind IN ('orphan', 'wrong prefix', 'agent differs')
    AND (:agent::text IS NULL OR agent = :agent)
ON CONFLICT DO NOTHING;

-- name: collect_agents!
-- Rows that name an agent nobody knows, where what belongs to them names one.
INSERT INTO repair_actions (
    repair_id, turn, id, kind, record, row_id, agent, task, reason, details
)
SELECT :repair_id, 3, found.id, 'mend row', found.record, found.id, found.agent, found.task_id,
    found.reason,
    jsonb_build_object('seen', found.seen, 'changes', jsonb_build_object('agent_id', found.agent))
FROM (
    SELECT step.id, 'task_progress' AS record, step.agent_id AS told, task.agent_id AS agent,
        task.id AS task_id, 'It names an agent that nobody knows, and its task tells which it is.'
        AS reason, md5(to_jsonb(step)::text) AS seen
    FROM task_progress AS step
    INNER JOIN tasks AS task ON task.id = step.task_id
    WHERE step.agent_id IS DISTINCT FROM task.agent_id
    UNION ALL
    SELECT verdict.id, 'evaluations', verdict.agent_id, task.agent_id, task.id,
        'It names an agent that nobody knows, and its task tells which it is.',
        md5(to_jsonb(verdict)::text)
    FROM evaluations AS verdict
    INNER JOIN tasks AS task ON task.id = verdict.task_id
    WHERE verdict.agent_id IS DISTINCT FROM task.agent_id
    UNION ALL
    SELECT task.id, 'tasks', task.agent_id, min(step.agent_id), task.id,
        'It names no agent, and its steps all name the same one.', md5(to_jsonb(task)::text)
    FROM tasks AS task
    INNER JOIN task_progress AS step ON step.task_id = task.id
    WHERE coalesce(task.agent_id, '') !~ '^[a-z0-9][a-z0-9_-]{0,56}$'
    GROUP BY task.id
    HAVING min(step.agent_id) = max(step.agent_id)
) AS found
WHERE found.agent ~ '^[a-z0-9][a-z0-9_-]{0,56}$'
    AND (:agent::text IS NULL OR found.agent = :agent)
    AND NOT EXISTS (SELECT FROM agents WHERE agents.agent_id = found.told)
    AND NOT EXISTS (
        SELECT FROM tasks WHERE tasks.agent_id = found.told AND tasks.id <> found.task_id
    )
ON CONFLICT DO NOTHING;

-- name: actions_to_do
-- The next actions of one turn that are to be done.
SELECT turn, id, kind, record, row_id, bucket, object_path, agent, task, reason, details
FROM repair_actions
WHERE repair_id = :repair_id AND turn = :turn AND outcome IS NULL AND id > :after
ORDER BY id
LIMIT :rows;

-- name: drop_actions!
-- What was decided about.
DELETE FROM repair_actions
WHERE repair_id = :repair_id AND turn = :turn AND id = ANY(:ids::uuid []);

-- name: insert_action*!
-- One action, unless it is planned.
INSERT INTO repair_actions (
    repair_id, turn, id, kind, record, row_id, bucket, object_path, agent, task, reason, details
)
VALUES (
    :repair_id, :turn, :id, :kind, :record, :row_id, :bucket, :object_path, :agent, :task, :reason,
    :details
)
ON CONFLICT DO NOTHING;

-- name: end_action!
-- What came of an action, once.
UPDATE repair_actions
SET outcome = :outcome, told = :told, ended_at = clock_timestamp()
WHERE repair_id = :repair_id AND turn = :turn AND id = :id AND outcome IS NULL;

-- name: actions_page
-- What a repair planned, in the order in which it is done.
SELECT turn, id, kind, record, row_id, bucket, object_path, agent, reason, outcome, told
FROM repair_actions
WHERE repair_id = :repair_id AND turn > 2 AND (turn, id) > (:after_turn, :after_id::uuid)
ORDER BY turn, id
LIMIT :rows;

-- name: count_actions
-- How many there are of each kind, by what came of them.
SELECT kind, coalesce(outcome, 'planned') AS outcome, count(*) AS number
FROM repair_actions
WHERE repair_id = :repair_id AND turn > 2
GROUP BY kind, coalesce(outcome, 'planned')
ORDER BY kind, outcome;

-- name: files_to_look_at
-- Rows, and what else is known about whose they are.
SELECT file.id, file.agent_id, file.task_id, file.bucket, file.object_path, file.content_type,
    file.size_bytes, file.sha256, file.etag, file.metadata, file.uploaded_at, file.stored_at,
    file.missing_since, file.stored_at > clock_timestamp() AS is_ahead,
    md5(to_jsonb(file)::text) AS seen, task.agent_id AS agent_of_task,
    named.id AS named_task, named.agent_id AS agent_of_named
FROM binary_file_metadata AS file
LEFT JOIN tasks AS task ON task.id = file.task_id
LEFT JOIN tasks AS named
    ON named.id = substring(
        file.object_path FROM '/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/'
    )::uuid
WHERE file.id = ANY(:ids::uuid []);

-- name: facts_of_object
-- What PostgreSQL knows of a place in the object store, and of those that its name names.
SELECT
    EXISTS (
        SELECT FROM binary_file_metadata WHERE bucket = :bucket AND object_path = :object_path
    ) AS has_row,
    EXISTS (
        SELECT FROM repair_actions
        WHERE repair_id = :repair_id AND turn IN (3, 4) AND outcome IS NULL
            AND bucket = :bucket AND object_path = :object_path
    ) AS is_taken,
    EXISTS (SELECT FROM agents WHERE agent_id = :agent)
    -- In the order of an index: else the whole table may be read to find one.
    OR (
        SELECT id FROM tasks WHERE agent_id = :agent ORDER BY created_at LIMIT 1
    ) IS NOT NULL AS knows_agent,
    (SELECT agent_id FROM tasks WHERE id = :task::uuid) AS agent_of_task,
    EXISTS (SELECT FROM deleted_tasks WHERE task_id = :task::uuid)
    OR EXISTS (
        SELECT FROM deletions
        WHERE agent_id = :agent AND task_id IS NULL AND readmitted_at IS NULL
    ) AS is_deleted;

-- name: content_in_quarantine
-- Where bytes of the same agent or task lie that were, or are to be, taken aside.
SELECT 'quarantine' AS bucket, kept_as AS object_path
FROM quarantined_objects
WHERE sha256 = :sha256 AND (agent_id = :agent OR task_id = :task::uuid)
UNION ALL
SELECT 'quarantine', details ->> 'kept_as'
FROM repair_actions
WHERE repair_id = :repair_id AND kind = 'quarantine' AND details ->> 'sha256' = :sha256
    AND (agent = :agent OR task = :task::uuid)
LIMIT 1;

-- name: content_in_sources
-- Files of migrations of the same agent and task that had these bytes when they were imported.
SELECT m.source, f.item_id, f.path, f.size_bytes, f.modified_ns, f.status, f.sha256
FROM migration_items AS i
INNER JOIN migrations AS m ON m.id = i.migration_id
INNER JOIN migration_files AS f ON f.item_id = i.id
WHERE i.task_ids @> ARRAY[:task::uuid] AND m.agent_id = :agent
    AND f.sha256 = :sha256
LIMIT 10;

-- name: mend_file
-- A row gets other values, if it is as it was when they were decided on; gives its task.
UPDATE binary_file_metadata AS file
SET agent_id = coalesce(:changes::jsonb ->> 'agent_id', agent_id),
    task_id = coalesce((:changes::jsonb ->> 'task_id')::uuid, task_id),
    bucket = coalesce(:changes::jsonb ->> 'bucket', bucket),
    object_path = coalesce(:changes::jsonb ->> 'object_path', object_path),
    content_type = coalesce(:changes::jsonb ->> 'content_type', content_type),
    size_bytes = coalesce((:changes::jsonb ->> 'size_bytes')::bigint, size_bytes),
    sha256 = coalesce(:changes::jsonb ->> 'sha256', sha256),
    etag = coalesce(:changes::jsonb ->> 'etag', etag),
    -- When it came is not known any more, only that it is here now.
    stored_at = CASE WHEN stored_at > clock_timestamp() THEN clock_timestamp() ELSE stored_at END,
    missing_since = CASE WHEN :changes::jsonb ? 'found' THEN NULL ELSE missing_since END
WHERE id = :id AND md5(to_jsonb(file)::text) = :seen
RETURNING task_id;

-- name: mark_missing
-- A row says that its object is lost, if it is as it was; gives its task.
UPDATE binary_file_metadata AS file
SET missing_since = clock_timestamp()
WHERE id = :id AND md5(to_jsonb(file)::text) = :seen AND missing_since IS NULL
RETURNING task_id;

-- name: mend_task
-- A task gets the agent whose it is, if it is as it was.
UPDATE tasks AS task
SET agent_id = :agent
WHERE id = :id AND md5(to_jsonb(task)::text) = :seen
RETURNING id;

-- name: mend_step
-- A step gets the agent of its task, if it is as it was.
UPDATE task_progress AS step
SET agent_id = :agent
WHERE id = :id AND md5(to_jsonb(step)::text) = :seen
RETURNING task_id;

-- name: mend_verdict
-- A verdict gets the agent of its task, if it is as it was.
UPDATE evaluations AS verdict
SET agent_id = :agent
WHERE id = :id AND md5(to_jsonb(verdict)::text) = :seen
RETURNING task_id;

-- name: note_quarantined!
-- An object was taken aside, and every byte of it verified.
INSERT INTO quarantined_objects (
    id, agent_id, task_id, bucket, object_path, kept_as, reason, sha256, size_bytes
)
VALUES (
    :id, :agent, :task, :bucket, :object_path, :kept_as, :reason, :sha256, :size_bytes
)
ON CONFLICT DO NOTHING;

-- name: delete_quarantined!
-- Some of what is known of objects in quarantine of these tasks, or of an agent.
DELETE FROM quarantined_objects
WHERE ctid = ANY(ARRAY(
    SELECT ctid
    FROM quarantined_objects
    WHERE CASE
        WHEN :task_ids::uuid [] IS NULL THEN agent_id = :agent_id ELSE task_id = ANY(:task_ids)
    END
    LIMIT :rows
));

-- name: forget_repairs!
-- What was planned about these tasks or agents.
DELETE FROM repair_actions
WHERE task = ANY(:task_ids::uuid []) OR agent = ANY(:agent_ids::text []);
