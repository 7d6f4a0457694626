-- Who may do what, enforced by PostgreSQL itself: roles, keys, grants, policies, functions.
--
--            | tasks             | task_progress | binary_file_metadata | evaluations   | passes
-- agent      | own: read, insert,| own: read,    | own: read, insert    | own: read     | -
--            | guarded update    | insert        |                      |               |
-- evaluator  | read              | read          | read                 | read, insert, | read, insert,
--            |                   |               |                      | update        | update
-- frontend   | read, not its     | read percent  | read screenshots     | read scores   | -
--            | metadata          | and step      |                      |               |
-- operator   | everything        | everything    | everything           | everything    | everything
-- owner      | nothing: it owns the tables and migrates them, and no component connects as it
--
-- A revision that has to change rows says ALTER TABLE ... NO FORCE ROW LEVEL SECURITY before and
-- FORCE after, in its one transaction. References are checked in spite of row security.


-- Roles ---------------------------------------------------------------------------------------
-- They are the cluster's: another database may have made them, maybe in this moment.
-- Without a password, which provisioning sets, nobody gets in.

DO $$
BEGIN
    CREATE ROLE agentruns_agent NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE agentruns_evaluator LOGIN CONNECTION LIMIT 30;
    ALTER ROLE agentruns_evaluator SET search_path = public, pg_temp;
    ALTER ROLE agentruns_evaluator SET statement_timeout = '5min';
    ALTER ROLE agentruns_evaluator SET idle_in_transaction_session_timeout = '5min';
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE agentruns_frontend LOGIN CONNECTION LIMIT 30;
    ALTER ROLE agentruns_frontend SET search_path = public, pg_temp;
    ALTER ROLE agentruns_frontend SET statement_timeout = '15s';
    ALTER ROLE agentruns_frontend SET idle_in_transaction_session_timeout = '15s';
    ALTER ROLE agentruns_frontend SET default_transaction_read_only = on;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE agentruns_operator LOGIN CONNECTION LIMIT 100;
    ALTER ROLE agentruns_operator SET search_path = public, pg_temp;
    ALTER ROLE agentruns_operator SET statement_timeout = '5min';
    ALTER ROLE agentruns_operator SET idle_in_transaction_session_timeout = '5min';
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;


-- Agents and their keys -----------------------------------------------------------------------

CREATE TABLE agents (
    agent_id text PRIMARY KEY CHECK (agent_id ~ '^[a-z0-9][a-z0-9_-]{0,56}$'),
    append_only boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz
);

-- A key is a login role of the same name; its agent is looked up here and nowhere else.
CREATE TABLE agent_keys (
    key_id text PRIMARY KEY CHECK (key_id ~ '^key_[0-9a-f]{16}$'),
    agent_id text NOT NULL REFERENCES agents (agent_id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When all three stores knew it.
    completed_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    -- When no store let it in any more; PostgreSQL is the first that does not.
    retired_at timestamptz
);

CREATE INDEX keys_of_agent ON agent_keys (agent_id);
CREATE INDEX keys_to_retire ON agent_keys (key_id) WHERE retired_at IS NULL;


-- References: nobody hangs a row on another agent's task --------------------------------------

ALTER TABLE tasks ADD CONSTRAINT task_of_agent UNIQUE (id, agent_id);

ALTER TABLE task_progress
DROP CONSTRAINT task_progress_task_id_fkey,
ADD CONSTRAINT progress_of_own_task
FOREIGN KEY (task_id, agent_id) REFERENCES tasks (id, agent_id) NOT VALID;

ALTER TABLE evaluations
DROP CONSTRAINT evaluations_task_id_fkey,
ADD CONSTRAINT evaluation_of_that_agents_task
FOREIGN KEY (task_id, agent_id) REFERENCES tasks (id, agent_id) NOT VALID;

ALTER TABLE binary_file_metadata
DROP CONSTRAINT binary_file_metadata_task_id_fkey,
ADD CONSTRAINT file_of_own_task
FOREIGN KEY (task_id, agent_id) REFERENCES tasks (id, agent_id) NOT VALID;

DO $$
BEGIN
    ALTER TABLE task_progress VALIDATE CONSTRAINT progress_of_own_task;
    ALTER TABLE evaluations VALIDATE CONSTRAINT evaluation_of_that_agents_task;
    ALTER TABLE binary_file_metadata VALIDATE CONSTRAINT file_of_own_task;
EXCEPTION WHEN foreign_key_violation THEN
    -- Rows from before stay for a person to explain; new ones are refused from now on.
    RAISE WARNING 'some rows belong to another agent than their task';
END
$$;


-- Updates: a status never goes back to an older one, whoever says so --------------------------

-- The same as `replaces` in storage/postgres/transitions.py.
CREATE FUNCTION goes_on(
    known text, known_at timestamptz, told text, told_at timestamptz
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN known || '>' || told IN (
        'pending>in_progress', 'pending>completed', 'pending>failed', 'pending>cancelled',
        'pending>interrupted',
        'in_progress>completed', 'in_progress>failed', 'in_progress>cancelled',
        'interrupted>completed', 'interrupted>failed', 'interrupted>cancelled'
    ) THEN true
    WHEN known = told OR known || '>' || told IN (
        'in_progress>interrupted', 'interrupted>in_progress'
    ) THEN (told_at, told COLLATE "C") > (known_at, known COLLATE "C")
    ELSE false
END;

CREATE FUNCTION refuse_older_status() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE check_violation USING
        MESSAGE = 'a task only goes on to a status that may follow, told later',
        TABLE = 'tasks', CONSTRAINT = 'status_only_goes_on';
END
$$;

CREATE TRIGGER status_only_goes_on
BEFORE UPDATE OF status, status_at, finished_at ON tasks
FOR EACH ROW WHEN (
    (old.status, old.status_at, old.finished_at)
    IS DISTINCT FROM (new.status, new.status_at, new.finished_at)
    AND NOT goes_on(old.status, old.status_at, new.status, new.status_at)
)
EXECUTE FUNCTION refuse_older_status();


-- Times: at 'infinity', or after the year 9999, no driver gets through a page -------------------
-- So one agent's row would stop an evaluation pass over all agents.

ALTER TABLE tasks ADD CONSTRAINT times_can_be_read CHECK (
    least(
        status_at, created_at, started_at, finished_at, updated_at, evidence_at, heartbeat_at
    ) >= '0001-01-01 00:00:00+00'
    AND greatest(
        status_at, created_at, started_at, finished_at, updated_at, evidence_at, heartbeat_at
    ) < '10000-01-01 00:00:00+00'
);

ALTER TABLE task_progress ADD CONSTRAINT times_can_be_read CHECK (
    "timestamp" >= '0001-01-01 00:00:00+00' AND "timestamp" < '10000-01-01 00:00:00+00'
);

ALTER TABLE binary_file_metadata ADD CONSTRAINT times_can_be_read CHECK (
    uploaded_at >= '0001-01-01 00:00:00+00' AND uploaded_at < '10000-01-01 00:00:00+00'
);


-- Whose rows ----------------------------------------------------------------------------------

-- The agent of the key that logged in; nobody for everybody else, and when the key is over.
-- Nobody but a superuser can change `session_user`. A view and no function: its names are looked
-- up once, now, so that no search path leads them astray, and asking it takes half the time.
CREATE VIEW own_agent WITH (security_invoker = true) AS
SELECT agent_id
FROM agent_keys
WHERE key_id = session_user::text
    AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > statement_timestamp());

ALTER TABLE tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE task_progress ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE binary_file_metadata ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE evaluations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE evaluation_passes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE agents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE agent_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- Policies say which rows, grants below say what may be done to them.
-- The own agent is looked up once a statement, not once a row.
CREATE POLICY own_rows ON tasks TO agentruns_agent
USING (agent_id = (SELECT agent_id FROM own_agent));
CREATE POLICY own_rows ON task_progress TO agentruns_agent
USING (agent_id = (SELECT agent_id FROM own_agent));
CREATE POLICY own_rows ON binary_file_metadata TO agentruns_agent
USING (agent_id = (SELECT agent_id FROM own_agent));
CREATE POLICY own_rows ON evaluations TO agentruns_agent
USING (agent_id = (SELECT agent_id FROM own_agent));
CREATE POLICY own_rows ON agents TO agentruns_agent
USING (agent_id = (SELECT agent_id FROM own_agent));
CREATE POLICY own_key ON agent_keys TO agentruns_agent
USING (key_id = session_user::text);

CREATE POLICY all_rows ON tasks
TO agentruns_evaluator, agentruns_frontend, agentruns_operator USING (true);
CREATE POLICY all_rows ON task_progress
TO agentruns_evaluator, agentruns_frontend, agentruns_operator USING (true);
CREATE POLICY all_rows ON evaluations
TO agentruns_evaluator, agentruns_frontend, agentruns_operator USING (true);
CREATE POLICY all_rows ON evaluation_passes
TO agentruns_evaluator, agentruns_operator USING (true);
CREATE POLICY all_rows ON binary_file_metadata
TO agentruns_evaluator, agentruns_operator USING (true);
CREATE POLICY screenshots ON binary_file_metadata
TO agentruns_frontend USING (bucket = 'screenshots');

-- The provisioning functions below run as the owner.
CREATE POLICY all_rows ON agents
TO agentruns_evaluator, agentruns_operator, CURRENT_USER USING (true);
CREATE POLICY all_rows ON agent_keys TO agentruns_operator, CURRENT_USER USING (true);


-- What may be done ----------------------------------------------------------------------------

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
-- Also of what later revisions make.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA public
TO agentruns_agent, agentruns_evaluator, agentruns_frontend, agentruns_operator;
-- Everybody asks whether the schema is the one that its code knows.
GRANT SELECT ON alembic_version
TO agentruns_agent, agentruns_evaluator, agentruns_frontend, agentruns_operator;

-- Agent. Columns, because a right to update the whole table is a right to lock it, too.
-- The times that decide what is evaluated are the server's when a task is inserted.
GRANT SELECT ON tasks, task_progress, binary_file_metadata, evaluations, agents, agent_keys,
own_agent TO agentruns_agent;
GRANT INSERT (
    id, agent_id, title, description, status, status_at, metadata, created_at, started_at,
    finished_at
),
UPDATE (
    title, description, status, status_at, metadata, created_at, started_at, finished_at,
    updated_at, evidence_at, heartbeat_at
) ON tasks TO agentruns_agent;
GRANT INSERT ON task_progress, binary_file_metadata TO agentruns_agent;
GRANT EXECUTE ON FUNCTION goes_on TO agentruns_agent;

-- Evaluator.
GRANT SELECT ON tasks, task_progress, binary_file_metadata, evaluations, evaluation_passes, agents
TO agentruns_evaluator;
GRANT INSERT, UPDATE ON evaluations, evaluation_passes TO agentruns_evaluator;

-- Frontend. The views run with its rights, so that these columns are all it can ever see.
CREATE VIEW task_summaries WITH (security_invoker = true) AS
SELECT t.id, t.agent_id, t.title, t.description, t.status, t.status_at,
    t.created_at, t.started_at, t.finished_at, t.updated_at,
    latest.step, latest.progress_percent
FROM tasks AS t
LEFT JOIN LATERAL (
    SELECT p.step, p.progress_percent
    FROM task_progress AS p
    WHERE p.task_id = t.id
    ORDER BY p."timestamp" DESC
    LIMIT 1
) AS latest ON true;

CREATE VIEW latest_scores WITH (security_invoker = true) AS
SELECT DISTINCT ON (task_id, scorer)
    task_id, agent_id, scorer, scorer_version, score, report, created_at, evidence_at
FROM evaluations
-- As in the query of the same name.
ORDER BY task_id, scorer, greatest(created_at, evidence_at) DESC;

CREATE VIEW screenshots WITH (security_invoker = true) AS
SELECT id, agent_id, task_id, object_path, content_type, size_bytes, sha256, metadata, uploaded_at,
    sequence
FROM binary_file_metadata
WHERE bucket = 'screenshots';

GRANT SELECT (
    id, agent_id, title, description, status, status_at, created_at, started_at, finished_at,
    updated_at
) ON tasks TO agentruns_frontend;
GRANT SELECT (task_id, agent_id, step, progress_percent, "timestamp")
ON task_progress TO agentruns_frontend;
GRANT SELECT (task_id, agent_id, scorer, scorer_version, score, report, created_at, evidence_at)
ON evaluations TO agentruns_frontend;
GRANT SELECT ON binary_file_metadata TO agentruns_frontend;
GRANT SELECT ON task_summaries, latest_scores, screenshots TO agentruns_frontend;

-- Operator. Agents and keys it changes by the functions only.
GRANT SELECT, INSERT, UPDATE, DELETE
ON tasks, task_progress, binary_file_metadata, evaluations, evaluation_passes
TO agentruns_operator;
GRANT SELECT ON agents, agent_keys, task_summaries, latest_scores, screenshots
TO agentruns_operator;
GRANT EXECUTE ON FUNCTION goes_on TO agentruns_operator;

-- Locks of passes and of whatever the operator does. Where a superuser closed them (as the local
-- stack does), agents take none; elsewhere everybody may, and this changes nothing.
DO $$
DECLARE
    lock regprocedure;
BEGIN
    FOR lock IN SELECT oid FROM pg_proc WHERE proname ~ '^pg_(try_)?advisory_(xact_)?lock' LOOP
        EXECUTE format(
            'GRANT EXECUTE ON FUNCTION %s TO agentruns_evaluator, agentruns_operator', lock
        );
    END LOOP;
END
$$;


-- Provisioning: for the operator alone, with the owner's right to make roles ------------------
-- Every one can be repeated. Names are checked by the tables' own CHECKs, before any role is
-- touched. Passwords come as SCRAM verifiers, so that no statement carries one.

CREATE FUNCTION refuse_other_than_scram(verifier text) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF verifier ~ '^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
        RETURN;
    END IF;
    RAISE invalid_parameter_value USING MESSAGE = 'this is no SCRAM-SHA-256 verifier';
END
$$;

CREATE FUNCTION role_exists(role_name text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name);

-- An agent that is known, and enabled when it was disabled.
CREATE FUNCTION add_agent(agent text, only_appends boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO agents (agent_id, append_only) VALUES (agent, only_appends)
    ON CONFLICT (agent_id) DO UPDATE SET append_only = only_appends, disabled_at = NULL;
END
$$;

-- A login for an agent; the same key again gets the password given last.
CREATE FUNCTION make_agent_key(key text, agent text, verifier text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known agent_keys;
BEGIN
    PERFORM refuse_other_than_scram(verifier);
    INSERT INTO agents (agent_id) VALUES (agent) ON CONFLICT (agent_id) DO NOTHING;
    IF EXISTS (SELECT FROM agents WHERE agent_id = agent AND disabled_at IS NOT NULL) THEN
        RAISE check_violation
        USING MESSAGE = 'the agent is disabled', CONSTRAINT = 'agent_is_enabled';
    END IF;
    SELECT * INTO known FROM agent_keys WHERE key_id = key;
    IF known.agent_id <> agent OR known.revoked_at IS NOT NULL THEN
        RAISE check_violation USING
            MESSAGE = 'the key is revoked or belongs to another agent',
            CONSTRAINT = 'key_is_valid_and_of_that_agent';
    END IF;
    -- A role that this database knows nothing of is a key of another database.
    IF known IS NULL AND role_exists(key) THEN
        RAISE check_violation
        USING MESSAGE = 'a role has the name of the key', CONSTRAINT = 'name_of_key_is_free';
    END IF;
    INSERT INTO agent_keys (key_id, agent_id) VALUES (key, agent) ON CONFLICT (key_id) DO NOTHING;
    IF NOT role_exists(key) THEN
        EXECUTE format('CREATE ROLE %I IN ROLE agentruns_agent', key);
        EXECUTE format('ALTER ROLE %I SET search_path = public, pg_temp', key);
        EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', key, '1min');
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', key, '1min');
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN CONNECTION LIMIT 30 PASSWORD %L', key, verifier);
END
$$;

-- All three stores know the key, which was not taken back meanwhile.
CREATE FUNCTION complete_agent_key(key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE agent_keys SET completed_at = COALESCE(completed_at, clock_timestamp())
    WHERE key_id = key AND revoked_at IS NULL;
    IF NOT FOUND THEN
        RAISE check_violation
        USING MESSAGE = 'the key is revoked', CONSTRAINT = 'key_is_valid_and_of_that_agent';
    END IF;
END
$$;

-- No store lets the key in any more.
CREATE FUNCTION retire_agent_key(key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE agent_keys SET retired_at = COALESCE(retired_at, clock_timestamp())
    WHERE key_id = key AND revoked_at IS NOT NULL;
END
$$;

-- From a moment on, the key lets nobody in and shows nothing to who is in.
CREATE FUNCTION expire_agent_key(key text, moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE agent_keys SET expires_at = moment WHERE key_id = key;
    IF FOUND AND role_exists(key) THEN
        EXECUTE format('ALTER ROLE %I VALID UNTIL %L', key, moment);
    END IF;
END
$$;

-- The key is over: no login, no rows, no connection.
CREATE FUNCTION revoke_agent_key(key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE agent_keys SET revoked_at = COALESCE(revoked_at, clock_timestamp()) WHERE key_id = key;
    IF NOT FOUND OR NOT role_exists(key) THEN
        RETURN;
    END IF;
    EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', key);
    -- Only who has a role's rights may end its connections.
    EXECUTE format('GRANT %I TO %I', key, current_user);
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = key;
    EXECUTE format('REVOKE %I FROM %I', key, current_user);
END
$$;

-- None of the agent's keys counts any more; `add_agent` enables it again, with new keys.
CREATE FUNCTION disable_agent(agent text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE agents SET disabled_at = COALESCE(disabled_at, clock_timestamp())
    WHERE agent_id = agent;
    PERFORM revoke_agent_key(key_id) FROM agent_keys WHERE agent_id = agent;
END
$$;

CREATE FUNCTION set_component_password(component text, verifier text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM refuse_other_than_scram(verifier);
    IF component NOT IN ('evaluator', 'frontend', 'operator') THEN
        RAISE invalid_parameter_value USING MESSAGE = 'there is no such component';
    END IF;
    EXECUTE format('ALTER ROLE %I PASSWORD %L', 'agentruns_' || component, verifier);
END
$$;

GRANT EXECUTE ON FUNCTION
add_agent, make_agent_key, complete_agent_key, expire_agent_key, revoke_agent_key, retire_agent_key,
disable_agent, set_component_password
TO agentruns_operator;


-- The database --------------------------------------------------------------------------------

-- Run by every migration: a copy or a restored backup has no rights of the database itself.
CREATE FUNCTION let_components_in() RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO '
        'agentruns_agent, agentruns_evaluator, agentruns_frontend, agentruns_operator',
        current_database()
    );
    -- Those who write in bulk do so through a temporary table.
    EXECUTE format(
        'GRANT TEMPORARY ON DATABASE %I TO agentruns_agent, agentruns_evaluator, agentruns_operator',
        current_database()
    );
END
$$;
