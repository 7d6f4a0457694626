-- How long what is recorded is kept, and what is kept whatever anybody says.

CREATE TABLE retention_policies (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    kind text NOT NULL CHECK (kind IN ('tasks', 'passes', 'quality')),
    -- Not `agent_id`: the search after a deletion takes that for a record of the agent's.
    agents text NOT NULL DEFAULT '*' CHECK (agents ~ '^[a-z0-9*?_-]{1,63}$'),
    -- What has not ended is never removed.
    statuses text [] NOT NULL DEFAULT '{completed,failed,cancelled,interrupted}' CHECK (
        cardinality(statuses) > 0
        AND statuses <@ '{completed,failed,cancelled,interrupted}'::text []
    ),
    older_than interval NOT NULL CHECK (older_than BETWEEN '1 hour' AND '36500 days'),
    keep_last integer CHECK (keep_last BETWEEN 1 AND 1000000),
    keep_below double precision CHECK (keep_below BETWEEN 0 AND 1),
    -- Whose verdicts count for that; NULL: everybody's.
    scorer text CHECK (length(scorer) <= 500),
    keep_tagged text [] NOT NULL DEFAULT '{}' CHECK (octet_length(keep_tagged::text) <= 1000),
    enabled boolean NOT NULL DEFAULT true,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text NOT NULL DEFAULT session_user
);

-- A task that nobody deletes; not even an agent's deletion takes it along.
CREATE TABLE task_holds (
    -- The reference makes a hold wait for whoever deletes the task in this moment.
    task_id uuid PRIMARY KEY,
    agent_id text NOT NULL,
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    held_by text NOT NULL DEFAULT session_user,
    CONSTRAINT hold_of_known_task FOREIGN KEY (task_id, agent_id) REFERENCES tasks (id, agent_id)
);

CREATE INDEX holds_of_agent ON task_holds (agent_id, task_id);

-- What is deleted takes its names out of what checks found.
CREATE INDEX differences_by_object ON object_differences (bucket, object_path);
CREATE INDEX results_with_sample ON quality_results (run_id) WHERE sample <> '[]';


-- The operator says how long, and what is held; agents neither set nor release -------------------

ALTER TABLE retention_policies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE task_holds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON retention_policies TO agentruns_operator USING (true);
-- The triggers below run as the owner.
CREATE POLICY all_rows ON task_holds TO agentruns_operator, CURRENT_USER USING (true);
REVOKE ALL ON retention_policies, task_holds FROM PUBLIC;
GRANT SELECT, DELETE,
INSERT (
    name, kind, agents, statuses, older_than, keep_last, keep_below, scorer, keep_tagged, enabled
),
UPDATE (
    kind, agents, statuses, older_than, keep_last, keep_below, scorer, keep_tagged, enabled,
    changed_at, changed_by
) ON retention_policies TO agentruns_operator;
GRANT SELECT, DELETE, INSERT (task_id, agent_id, reason), UPDATE (reason)
ON task_holds TO agentruns_operator;


-- A hold and a tombstone exclude each other, whichever comes first --------------------------------

CREATE FUNCTION refuse_deletion_of_held() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Neither sees the other's row before it is committed, so one waits for the other.
    PERFORM pg_advisory_xact_lock(hashtext('agentruns hold'), hashtext(new.agent_id));
    IF EXISTS (
        SELECT FROM task_holds AS hold
        WHERE hold.agent_id = new.agent_id
            AND (new.task_id IS NULL OR hold.task_id = new.task_id)
    ) THEN
        RAISE check_violation USING
            MESSAGE = 'a task is held', TABLE = 'deletions', CONSTRAINT = 'nothing_is_held';
    END IF;
    RETURN new;
END
$$;

CREATE FUNCTION refuse_hold_of_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('agentruns hold'), hashtext(new.agent_id));
    IF EXISTS (SELECT FROM deleted_tasks AS gone WHERE gone.task_id = new.task_id)
        OR EXISTS (
            SELECT FROM deletions AS gone
            WHERE gone.agent_id = new.agent_id AND gone.task_id IS NULL
                AND gone.readmitted_at IS NULL
        )
    THEN
        RAISE check_violation USING
            MESSAGE = 'the task was deleted for good',
            TABLE = 'task_holds', CONSTRAINT = 'task_is_not_deleted';
    END IF;
    RETURN new;
END
$$;

CREATE TRIGGER not_held BEFORE INSERT ON deletions
FOR EACH ROW EXECUTE FUNCTION refuse_deletion_of_held();
CREATE TRIGGER not_deleted BEFORE INSERT ON task_holds
FOR EACH ROW EXECUTE FUNCTION refuse_hold_of_deleted();


-- Noted by the database itself --------------------------------------------------------------------

CREATE FUNCTION audit_hold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO audit_log (what, agent_id, task_id)
        VALUES ('task released', old.agent_id, old.task_id);
    ELSE
        INSERT INTO audit_log (what, agent_id, task_id, details)
        VALUES (
            'task held', new.agent_id, new.task_id, jsonb_build_object('reason', new.reason)
        );
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_policy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO audit_log (what, details)
    VALUES (
        CASE TG_OP
            WHEN 'INSERT' THEN 'policy added' WHEN 'DELETE' THEN 'policy removed'
            ELSE 'policy changed'
        END,
        CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(old) ELSE to_jsonb(new) END
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON task_holds
FOR EACH ROW EXECUTE FUNCTION audit_hold();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON retention_policies
FOR EACH ROW EXECUTE FUNCTION audit_policy();
