-- Deleting for good. Rows go by `ctid` in batches: no plan then joins a whole table with a batch.

-- name: lock_task_to_delete
-- A task nobody hangs anything on any more, until the transaction ends.
SELECT agent_id FROM tasks WHERE id = :task_id FOR UPDATE;

-- name: deletions_by_id
-- These deletions, in the order in which they were begun.
SELECT id, agent_id, task_id, began_at, began_by, archives, items, found, finished_at, readmitted_at
FROM deletions
WHERE id = ANY(:ids::uuid [])
ORDER BY id;

-- name: deletion_of_task
-- What deleted a task, alone or with its agent.
SELECT d.id, d.agent_id, d.task_id, d.began_at, d.began_by, d.archives, d.items, d.found,
    d.finished_at, d.readmitted_at
FROM deleted_tasks AS t
INNER JOIN deletions AS d ON d.id = t.deletion_id
WHERE t.task_id = :task_id;

-- name: deletion_of_agent
-- What deleted an agent that did not come back since.
SELECT id, agent_id, task_id, began_at, began_by, archives, items, found, finished_at, readmitted_at
FROM deletions
WHERE agent_id = :agent_id AND task_id IS NULL AND readmitted_at IS NULL;

-- name: tombstone_of_agent
-- When an agent was deleted that did not come back since.
SELECT began_at, finished_at
FROM deletions
WHERE agent_id = :agent_id AND task_id IS NULL AND readmitted_at IS NULL;

-- name: deletions_to_finish
-- Deletions that were begun and not finished.
SELECT id, agent_id, task_id, began_at, began_by, archives, items, found, finished_at, readmitted_at
FROM deletions
WHERE finished_at IS NULL AND id > :after
ORDER BY id
LIMIT :rows;

-- name: deletions_to_sweep
-- Finished deletions for which something may have come in late.
SELECT id, agent_id, task_id, began_at, began_by, archives, items, found, finished_at, readmitted_at,
    due_at
FROM deletions
WHERE finished_at IS NOT NULL AND due_at <= :until AND (due_at, id) > (:after_due, :after)
ORDER BY due_at, id
LIMIT :rows;

-- name: take_deletions
-- On which of these nobody else works; while this connection lasts, nobody else does.
SELECT id FROM unnest(:ids::uuid []) AS deletion (id)
WHERE pg_try_advisory_lock(hashtext('agentruns deletion'), hashtext(id::text));

-- name: open_deletion!
-- From here on nothing of it is taken any more; somebody else may say so in the same moment.
INSERT INTO deletions (id, agent_id, task_id, archives, items)
VALUES (:id, :agent_id, :task_id, :archives, :items)
ON CONFLICT DO NOTHING;

-- name: bury_task!
-- A task that is gone, or about to be.
INSERT INTO deleted_tasks (task_id, agent_id, deletion_id)
VALUES (:task_id, :agent_id, :deletion_id)
ON CONFLICT DO NOTHING;

-- name: note_found!
-- How much there was, counted once.
UPDATE deletions SET found = :found WHERE id = :id AND found IS NULL;

-- name: finish_deletions
-- Nothing is left of these; the stores are searched again at once, as somebody may have been
-- writing. Tells which were not finished before.
UPDATE deletions SET finished_at = clock_timestamp(), due_at = clock_timestamp()
WHERE id = ANY(:ids::uuid []) AND finished_at IS NULL
RETURNING id;

-- name: note_sweeps!
-- For a day at every opportunity, then ever more seldom.
UPDATE deletions
SET due_at = clock_timestamp() + CASE
    WHEN finished_at > clock_timestamp() - interval '1 day' THEN interval '0'
    ELSE (clock_timestamp() - finished_at) / 10
END
WHERE id = ANY(:ids::uuid []) AND finished_at IS NOT NULL;

-- name: readmit_agent!
-- Let another agent of that name in, unless somebody just removes what came late of the old one;
-- what is older than now stays refused.
UPDATE deletions SET readmitted_at = clock_timestamp()
WHERE agent_id = :agent_id AND task_id IS NULL AND readmitted_at IS NULL
    AND finished_at IS NOT NULL
    AND pg_try_advisory_xact_lock(hashtext('agentruns deletion'), hashtext(id::text));

-- name: forget_agent
-- An agent and its keys; gives how many rows of each.
SELECT agents, agent_keys FROM forget_agent(:agent_id::text);

-- name: tables_about
-- Every table of ours that says whose its rows are or of which task, and by which columns.
SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attname)
FROM pg_class AS c
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND a.attname IN ('agent_id', 'task_id', 'task_ids')
    -- What remembers deletions, and what nobody may take anything from.
    AND c.relname NOT IN ('deletions', 'deleted_tasks', 'deleted_sources', 'audit_log')
GROUP BY c.relname
ORDER BY c.relname;

-- name: paths_of_others
-- Which of these objects somebody else's row refers to: another task's, or none's.
SELECT DISTINCT object_path
FROM binary_file_metadata
WHERE bucket = :bucket AND object_path = ANY(:paths::text [])
    AND task_id IS DISTINCT FROM :task_id::uuid;

-- name: objects_elsewhere
-- The next objects of a task that do not lie in its own folder.
SELECT id, bucket, object_path
FROM binary_file_metadata
WHERE task_id = :task_id AND NOT starts_with(object_path, :folder) AND id > :after
ORDER BY id
LIMIT :rows;

-- name: delete_progress!
-- Some of the steps of these tasks, or of all tasks of an agent.
DELETE FROM task_progress
WHERE ctid = ANY(ARRAY(
    SELECT ctid
    FROM task_progress
    WHERE CASE
        WHEN :task_ids::uuid [] IS NULL THEN agent_id = :agent_id ELSE task_id = ANY(:task_ids)
    END
    LIMIT :rows
));

-- name: delete_evaluations!
-- Some of the verdicts on these tasks, or on all tasks of an agent.
DELETE FROM evaluations
WHERE ctid = ANY(ARRAY(
    SELECT ctid
    FROM evaluations
    WHERE CASE
        WHEN :task_ids::uuid [] IS NULL THEN agent_id = :agent_id ELSE task_id = ANY(:task_ids)
    END
    LIMIT :rows
));

-- name: delete_files!
-- Some of the rows of these tasks' files, or of all files of an agent.
DELETE FROM binary_file_metadata
WHERE ctid = ANY(ARRAY(
    SELECT ctid
    FROM binary_file_metadata
    WHERE CASE
        WHEN :task_ids::uuid [] IS NULL THEN agent_id = :agent_id ELSE task_id = ANY(:task_ids)
    END
    LIMIT :rows
));

-- name: delete_archives!
-- The rows of archives, whichever task they are filed under.
DELETE FROM binary_file_metadata
WHERE bucket = 'binaries' AND object_path = ANY(:paths::text []);

-- name: delete_tasks_by_id!
-- Tasks on which nothing hangs any more.
DELETE FROM tasks WHERE id = ANY(:task_ids::uuid []);

-- name: lock_agents_tasks
-- The next of an agent's tasks, on which nobody hangs anything until the transaction ends.
SELECT created_at, id FROM tasks
WHERE agent_id = :agent_id AND (created_at, id) > (:after_at, :after)
ORDER BY created_at, id
LIMIT :rows
FOR UPDATE;

-- name: delete_tasks
-- Some of an agent's tasks; tells which.
DELETE FROM tasks
WHERE ctid = ANY(ARRAY(SELECT ctid FROM tasks WHERE agent_id = :agent_id LIMIT :rows))
RETURNING id;

-- name: bury_tasks!
-- Tasks that are gone.
INSERT INTO deleted_tasks (task_id, agent_id, deletion_id)
SELECT unnest(:ids::uuid []), :agent_id, :deletion_id
ON CONFLICT DO NOTHING;

-- name: items_of_task
-- The items of migrations that a task came from, the migrations that hold them, and every task that
-- an archive of theirs may be filed under.
SELECT id, migration_id, archive_path, task_ids || superseded FROM migration_items
WHERE task_ids @> ARRAY[:task_id::uuid];

-- name: archives_filed
-- The archives of an agent under these tasks, or none; each row's id says of which item.
SELECT id, sha256, object_path
FROM binary_file_metadata
WHERE agent_id = :agent_id AND (task_id IS NULL OR task_id = ANY(:task_ids::uuid []))
    AND bucket = 'binaries' AND metadata ->> 'kind' = 'archive';

-- name: migrations_of_agent
-- The migrations that bring records to an agent.
SELECT id FROM migrations WHERE agent_id = :agent_id;

-- name: items_of_agent
-- Some of the items of an agent's migrations.
SELECT i.id
FROM migrations AS m
INNER JOIN migration_items AS i ON i.migration_id = m.id
WHERE m.agent_id = :agent_id
LIMIT :rows;

-- name: count_items_of_agent
-- How many items an agent's migrations have, and files of them.
SELECT
    (
        SELECT count(*) FROM migrations AS m
        INNER JOIN migration_items AS i ON i.migration_id = m.id
        WHERE m.agent_id = :agent_id
    ),
    (
        SELECT count(*) FROM migrations AS m
        INNER JOIN migration_files AS f ON f.migration_id = m.id
        WHERE m.agent_id = :agent_id
    );

-- name: remember_sources!
-- What the folders of these items hold, so that they are recognised under another name.
INSERT INTO deleted_sources (agent_id, files, size_bytes, content_sha256, deletion_id)
SELECT m.agent_id, count(*), sum(f.size_bytes),
    sha256(convert_to(string_agg(f.sha256, ' ' ORDER BY f.sha256 COLLATE "C"), 'UTF8')),
    :deletion_id
FROM migration_items AS i
INNER JOIN migrations AS m ON m.id = i.migration_id
INNER JOIN migration_files AS f ON f.item_id = i.id AND f.gone_at IS NULL
WHERE i.id = ANY(:ids::uuid []) AND i.format IS NOT NULL
GROUP BY i.id, m.agent_id
HAVING bool_and(f.sha256 IS NOT NULL)
ON CONFLICT DO NOTHING;

-- name: sources_of_size
-- The contents of deleted folders with so many files and bytes.
SELECT content_sha256
FROM deleted_sources
WHERE agent_id = :agent_id AND files = :files AND size_bytes = :size_bytes;

-- name: is_any_source_deleted
-- Whether a run of the agent was deleted at all.
SELECT EXISTS (SELECT FROM deleted_sources WHERE agent_id = :agent_id);

-- name: mark_items_deleted!
-- Items whose task is gone stay in the list, so that they are not imported again.
UPDATE migration_items
SET status = 'deleted', reason = :reason, problems = 0, accepted_by = NULL,
    task_ids = array_remove(task_ids, :task_id::uuid), archive_path = NULL, counts = '{}',
    verified_at = NULL, deeply_verified_at = NULL, recorded_as = NULL, call_id = NULL,
    compared = '{}', superseded = array_remove(superseded, :task_id::uuid)
WHERE id = ANY(:ids::uuid []);

-- name: mark_files_deleted!
-- The same for the files of these items.
UPDATE migration_files SET status = 'deleted', reason = NULL, sha256 = NULL
WHERE item_id = ANY(:ids::uuid []);

-- name: delete_problems!
-- What could not be read of these items.
DELETE FROM migration_problems WHERE item_id = ANY(:ids::uuid []);

-- name: delete_differences!
-- What a verification of these items found.
DELETE FROM migration_differences WHERE item_id = ANY(:ids::uuid []);

-- name: delete_files_of_items!
-- The files of these items.
DELETE FROM migration_files WHERE item_id = ANY(:ids::uuid []);

-- name: delete_items!
-- These items.
DELETE FROM migration_items WHERE id = ANY(:ids::uuid []);

-- name: delete_other_files!
-- Some of the files of an agent's migrations that belong to no item.
DELETE FROM migration_files
WHERE ctid = ANY(ARRAY(
    SELECT f.ctid
    FROM migrations AS m
    INNER JOIN migration_files AS f ON f.migration_id = m.id
    WHERE m.agent_id = :agent_id
    LIMIT :rows
));

-- name: delete_migration_steps!
-- What the steps of an agent's migrations have done.
DELETE FROM migration_steps AS s
USING migrations AS m
WHERE m.id = s.migration_id AND m.agent_id = :agent_id;

-- name: delete_migrations!
-- An agent's migrations, once nothing belongs to them any more.
DELETE FROM migrations WHERE agent_id = :agent_id;

-- name: deleted_tasks_page
-- The next tasks that went with an agent.
SELECT task_id FROM deleted_tasks
WHERE deletion_id = :deletion_id AND task_id > :after
ORDER BY task_id
LIMIT :rows;

-- name: tasks_among
-- Which of these tasks are gone.
SELECT task_id FROM deleted_tasks WHERE task_id = ANY(:ids::uuid []);

-- name: forget_listed!
-- Objects that go, out of the inventories.
DELETE FROM object_inventory
WHERE ctid = ANY(ARRAY(
    SELECT its.ctid
    FROM inventory_snapshots AS snapshot
    CROSS JOIN LATERAL (
        SELECT ctid FROM object_inventory
        WHERE snapshot_id = snapshot.id AND bucket = :bucket AND object_path = ANY(:paths::text [])
        -- There are no more, and so it is looked up by its index.
        LIMIT cardinality(:paths::text [])
    ) AS its
));

-- name: forget_different!
-- The same out of what differed.
DELETE FROM object_differences
WHERE bucket = :bucket AND object_path = ANY(:paths::text []);

-- name: forget_to_read!
-- The same out of what a deep check has yet to read.
DELETE FROM deep_objects
WHERE ctid = ANY(ARRAY(
    SELECT its.ctid
    FROM deep_passes
    CROSS JOIN LATERAL (
        SELECT ctid FROM deep_objects
        WHERE pass_id = deep_passes.id AND bucket = :bucket
            AND object_path = ANY(:paths::text [])
        -- As above.
        LIMIT cardinality(:paths::text [])
    ) AS its
    WHERE finished_at IS NULL
));

-- name: forget_readings!
-- The same out of what it found.
DELETE FROM object_readings
WHERE bucket = :bucket AND object_path = ANY(:paths::text []);

-- name: forget_told!
-- Tasks and agents that go, out of what log entries told otherwise than tasks.
DELETE FROM document_differences
WHERE task = ANY(:task_ids::uuid []) OR agent = ANY(:agent_ids::text []);

-- name: forget_missing!
-- The same for what has a row of these tasks, or of an agent, and maybe no object.
DELETE FROM object_differences
WHERE ctid = ANY(ARRAY(
    SELECT its.ctid
    FROM binary_file_metadata AS file
    CROSS JOIN LATERAL (
        SELECT ctid FROM object_differences
        WHERE bucket = file.bucket AND object_path = file.object_path
        -- A few inventories with a few kinds each; so each is looked up by its index.
        LIMIT 100
    ) AS its
    WHERE CASE
        WHEN :task_ids::uuid [] IS NULL THEN file.agent_id = :agent_id
        ELSE file.task_id = ANY(:task_ids)
    END
));

-- name: forget_samples!
-- Bad rows that checks showed, where these words stand in them.
UPDATE quality_results AS result
SET sample = (
        SELECT coalesce(jsonb_agg(shown.bad_row), '[]')
        FROM jsonb_array_elements(result.sample) AS shown (bad_row)
        WHERE NOT EXISTS (
            SELECT FROM unnest(:words::text []) AS told (word)
            WHERE strpos(shown.bad_row::text, told.word) > 0
        )
    )
WHERE sample <> '[]' AND EXISTS (
    SELECT FROM unnest(:words::text []) AS told (word)
    WHERE strpos(result.sample::text, told.word) > 0
);

-- name: some_hold
-- A task that is held: this one, one of its archives' others, or one of an agent's.
SELECT task_id, reason FROM task_holds
WHERE CASE
    WHEN :task_id::uuid IS NULL THEN agent_id = :agent_id
    ELSE task_id = :task_id OR task_id = ANY(ARRAY(
        SELECT unnest(i.task_ids || i.superseded) FROM migration_items AS i
        WHERE i.task_ids @> ARRAY[:task_id::uuid]
    ))
END
LIMIT 1;
