-- What was deleted for good, remembered so that nothing of it comes in again.

-- One row for each order to delete; it stays when everything else has gone.
CREATE TABLE deletions (
    id uuid PRIMARY KEY,
    agent_id text NOT NULL CHECK (agent_id ~ '^[a-z0-9][a-z0-9_-]{0,56}$'),
    -- NULL: everything that the agent recorded, and the agent itself.
    task_id uuid UNIQUE,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    began_by text NOT NULL DEFAULT session_user,
    -- Archives of original files that hold something of the task, in `binaries`.
    archives text [] NOT NULL DEFAULT '{}',
    -- Items of migrations that it came from.
    items integer NOT NULL DEFAULT 0,
    -- How many there were, by store and table: numbers, and no content.
    found jsonb CHECK (jsonb_typeof(found) = 'object'),
    finished_at timestamptz,
    -- When the stores are searched next for what came in late.
    due_at timestamptz,
    -- Since when another agent of that name may write; what is older stays refused.
    readmitted_at timestamptz(3),
    CONSTRAINT only_finished_agents_come_back
    CHECK (readmitted_at IS NULL OR (task_id IS NULL AND finished_at IS NOT NULL))
);

CREATE UNIQUE INDEX one_deletion_of_agent ON deletions (agent_id)
WHERE task_id IS NULL AND readmitted_at IS NULL;
CREATE INDEX deletions_of_agent ON deletions (agent_id) WHERE task_id IS NULL;
CREATE INDEX deletions_to_finish ON deletions (id) WHERE finished_at IS NULL;
CREATE INDEX deletions_to_sweep ON deletions (due_at, id) WHERE finished_at IS NOT NULL;

-- Every task that is gone, alone or with its agent.
CREATE TABLE deleted_tasks (
    task_id uuid PRIMARY KEY,
    agent_id text NOT NULL,
    deletion_id uuid NOT NULL REFERENCES deletions
);

CREATE INDEX deleted_tasks_of_deletion ON deleted_tasks (deletion_id, task_id);

-- The contents of folders whose runs are gone, so that a renamed one is recognised.
CREATE TABLE deleted_sources (
    agent_id text NOT NULL,
    files bigint NOT NULL,
    size_bytes bigint NOT NULL,
    -- Of the hashes of the files, in their order.
    content_sha256 bytea NOT NULL,
    deletion_id uuid NOT NULL REFERENCES deletions,
    PRIMARY KEY (agent_id, files, size_bytes, content_sha256)
);

CREATE INDEX deleted_sources_of_deletion ON deleted_sources (deletion_id);


-- Who may: the operator, and nobody takes a tombstone away ----------------------------------------

ALTER TABLE deletions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deleted_tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deleted_sources ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- The triggers below run as the owner.
CREATE POLICY all_rows ON deletions TO agentruns_operator, CURRENT_USER USING (true);
CREATE POLICY all_rows ON deleted_tasks TO agentruns_operator, CURRENT_USER USING (true);
CREATE POLICY all_rows ON deleted_sources TO agentruns_operator USING (true);
REVOKE ALL ON deletions, deleted_tasks, deleted_sources FROM PUBLIC;
GRANT SELECT, INSERT (id, agent_id, task_id, archives, items),
UPDATE (found, finished_at, due_at, readmitted_at) ON deletions TO agentruns_operator;
GRANT SELECT, INSERT ON deleted_tasks, deleted_sources TO agentruns_operator;


-- What is refused, whoever brings it --------------------------------------------------------------
-- Once for each statement, and after the references were checked: these wait for whoever deletes
-- the task in this moment.

CREATE FUNCTION refuse_records_of_deleted_task() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added INNER JOIN deleted_tasks USING (task_id)) THEN
        RAISE check_violation USING
            MESSAGE = 'the task was deleted for good',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'task_is_not_deleted';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_deleted_task() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added INNER JOIN deleted_tasks ON deleted_tasks.task_id = added.id) THEN
        RAISE check_violation USING
            MESSAGE = 'the task was deleted for good',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'task_is_not_deleted';
    END IF;
    IF EXISTS (
        SELECT FROM added
        INNER JOIN deletions AS gone
            ON gone.agent_id = added.agent_id AND gone.task_id IS NULL
            AND (gone.readmitted_at IS NULL OR added.created_at < gone.readmitted_at)
    ) THEN
        RAISE check_violation USING
            MESSAGE = 'the agent was deleted for good after this was recorded',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'agent_is_not_deleted';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_files_of_deleted_agent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added
        INNER JOIN deletions AS gone
            ON gone.agent_id = added.agent_id AND gone.task_id IS NULL
            AND (gone.readmitted_at IS NULL OR added.uploaded_at < gone.readmitted_at)
        -- A file of a task is as old as its task.
        WHERE added.task_id IS NULL
    ) THEN
        RAISE check_violation USING
            MESSAGE = 'the agent was deleted for good after this was recorded',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'agent_is_not_deleted';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_deleted_agent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM deletions
        WHERE agent_id = new.agent_id AND task_id IS NULL AND readmitted_at IS NULL
    ) THEN
        RAISE check_violation USING
            MESSAGE = 'the agent was deleted for good',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'agent_is_not_deleted';
    END IF;
    RETURN new;
END
$$;

CREATE TRIGGER not_deleted AFTER INSERT ON tasks
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_deleted_task();
CREATE TRIGGER not_deleted AFTER INSERT ON task_progress
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_records_of_deleted_task();
CREATE TRIGGER not_deleted AFTER INSERT ON evaluations
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_records_of_deleted_task();
CREATE TRIGGER not_deleted AFTER INSERT ON binary_file_metadata
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_records_of_deleted_task();
CREATE TRIGGER not_of_deleted_agent AFTER INSERT ON binary_file_metadata
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_files_of_deleted_agent();
-- Also of a key, which makes its agent known.
CREATE TRIGGER not_deleted BEFORE INSERT ON agents
FOR EACH ROW EXECUTE FUNCTION refuse_deleted_agent();
CREATE TRIGGER not_deleted BEFORE INSERT OR UPDATE ON migrations
FOR EACH ROW EXECUTE FUNCTION refuse_deleted_agent();


-- What the operator takes away --------------------------------------------------------------------

-- An agent that is being deleted is known no more, once none of its keys is a role; gives the rows.
CREATE FUNCTION forget_agent(agent text) RETURNS TABLE (agents bigint, agent_keys bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    keys bigint;
    known bigint;
BEGIN
    IF NOT EXISTS (
        SELECT FROM deletions AS gone
        WHERE gone.agent_id = agent AND gone.task_id IS NULL AND gone.readmitted_at IS NULL
    ) THEN
        RAISE check_violation
        USING MESSAGE = 'the agent is not being deleted', CONSTRAINT = 'agent_is_being_deleted';
    END IF;
    DELETE FROM public.agent_keys AS key
    WHERE key.agent_id = agent AND NOT role_exists(key.key_id);
    GET DIAGNOSTICS keys = ROW_COUNT;
    DELETE FROM public.agents AS one
    WHERE one.agent_id = agent
        AND NOT EXISTS (SELECT FROM public.agent_keys AS key WHERE key.agent_id = agent);
    GET DIAGNOSTICS known = ROW_COUNT;
    IF known > 0 THEN
        INSERT INTO audit_log (what, agent_id) VALUES ('agent removed', agent);
    END IF;
    RETURN QUERY SELECT known, keys;
END
$$;

GRANT EXECUTE ON FUNCTION forget_agent TO agentruns_operator;
GRANT DELETE ON migrations, migration_items, migration_files, migration_steps TO agentruns_operator;

-- A run that was deleted stays in the list of its folder, so that it is not imported again.
ALTER TABLE migration_items
DROP CONSTRAINT migration_items_status_check,
ADD CONSTRAINT migration_items_status_check
CHECK (status IN ('pending', 'imported', 'archived', 'quarantined', 'deleted'));
ALTER TABLE migration_files
DROP CONSTRAINT migration_files_status_check,
ADD CONSTRAINT migration_files_status_check
CHECK (
    status IN ('listed', 'imported', 'archived', 'quarantined', 'ignored', 'deleted')
);
CREATE INDEX migrations_of_agent ON migrations (agent_id);
