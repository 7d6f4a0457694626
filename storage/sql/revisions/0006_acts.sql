-- The audit log of what components do: who may tell of what, how long it is kept, how it is found.

ALTER TABLE audit_log
ADD COLUMN task_id uuid,
-- Nobody fills the disk through one row.
ADD CONSTRAINT entry_is_small CHECK (
    octet_length(what) <= 100 AND octet_length(agent_id) <= 63
    AND octet_length(details::text) <= 4096
);

DROP INDEX audit_of_agent;
CREATE INDEX audit_by_time ON audit_log (at, id);
CREATE INDEX audit_of_agent ON audit_log (agent_id, at, id);
CREATE INDEX audit_of_task ON audit_log (task_id, at, id) WHERE task_id IS NOT NULL;
CREATE INDEX audit_of_kind ON audit_log (what, at, id);


-- Acts: each component tells of its own, and who, from where and when is the server's to say ------

CREATE TABLE audited_acts (
    what text NOT NULL,
    who text NOT NULL,
    PRIMARY KEY (what, who)
);
ALTER TABLE audited_acts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON audited_acts TO CURRENT_USER USING (true);
REVOKE ALL ON audited_acts FROM PUBLIC;

INSERT INTO audited_acts (what, who) VALUES
('address signed', 'agentruns_frontend'),
('address signed', 'agentruns_operator'),
('logs read', 'agentruns_evaluator'),
('logs read', 'agentruns_operator'),
('data deleted', 'agentruns_operator'),
('data repaired', 'agentruns_operator'),
('retention applied', 'agentruns_operator'),
('source cut over', 'agentruns_operator');

-- One row for each object of the array, with agent_id, task_id and details, all of which are claims.
CREATE FUNCTION audit(act text, entries jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audited_acts WHERE what = act AND who = session_user::text) THEN
        RAISE insufficient_privilege USING MESSAGE = 'this is not an act of this role';
    END IF;
    IF jsonb_array_length(entries) > 10000 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'these are too many entries at once';
    END IF;
    INSERT INTO audit_log (what, agent_id, task_id, details)
    SELECT act, told.agent_id, told.task_id, COALESCE(told.details, '{}')
    FROM jsonb_to_recordset(entries) AS told (agent_id text, task_id uuid, details jsonb);
END
$$;

GRANT EXECUTE ON FUNCTION audit TO agentruns_evaluator, agentruns_frontend, agentruns_operator;


-- How long it is kept: the owner says so, and nobody removes what is younger ----------------------

CREATE TABLE audit_term (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    days integer NOT NULL CONSTRAINT term_in_days CHECK (days BETWEEN 1 AND 36500)
);
ALTER TABLE audit_term ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON audit_term TO agentruns_operator, CURRENT_USER USING (true);
REVOKE ALL ON audit_term FROM PUBLIC;
GRANT SELECT ON audit_term TO agentruns_operator;
INSERT INTO audit_term (days) VALUES (400);

CREATE FUNCTION audit_of_term() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO audit_log (what, details)
    VALUES ('audit term changed', jsonb_build_object('days', new.days, 'before', old.days));
    RETURN NULL;
END
$$;

CREATE TRIGGER audited AFTER UPDATE ON audit_term
FOR EACH ROW EXECUTE FUNCTION audit_of_term();

-- Remove the oldest entries whose term is over, and say in the log what went; gives their number.
CREATE FUNCTION prune_audit(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    term integer := (SELECT days FROM audit_term);
    gone bigint;
    oldest timestamptz;
    newest timestamptz;
BEGIN
    WITH removed AS (
        DELETE FROM audit_log
        WHERE id IN (
            SELECT id FROM audit_log
            WHERE at < statement_timestamp() - make_interval(days => term)
            ORDER BY at, id
            LIMIT least(most, 10000)
        )
        RETURNING at
    )
    SELECT count(*), min(at), max(at) INTO gone, oldest, newest FROM removed;
    IF gone > 0 THEN
        INSERT INTO audit_log (what, details)
        VALUES (
            'audit pruned',
            jsonb_build_object(
                'entries', gone, 'oldest', oldest, 'newest', newest, 'term_days', term
            )
        );
    END IF;
    RETURN gone;
END
$$;

GRANT EXECUTE ON FUNCTION prune_audit TO agentruns_operator;


-- A known agent becomes append-only, or stops being so; a disabled one stays disabled -------------

CREATE FUNCTION set_append_only(agent text, only_appends boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE agents SET append_only = only_appends WHERE agent_id = agent;
END
$$;


-- Roles of keys that no store lets in any more ----------------------------------------------------

-- Gives whether the role is gone. One that left something in another database of this server stays,
-- without a login; what it left in this one goes with it (a key can only leave large objects).
CREATE FUNCTION drop_key_role(key text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    agent text := (SELECT agent_id FROM agent_keys WHERE key_id = key AND retired_at IS NOT NULL);
BEGIN
    IF agent IS NULL OR NOT role_exists(key) THEN
        RETURN false;
    END IF;
    EXECUTE format('GRANT %I TO %I', key, current_user);
    EXECUTE format('DROP OWNED BY %I', key);
    EXECUTE format('DROP ROLE %I', key);
    INSERT INTO audit_log (what, agent_id, details)
    VALUES ('role dropped', agent, jsonb_build_object('key_id', key));
    RETURN true;
EXCEPTION WHEN dependent_objects_still_exist THEN
    RETURN false;
END
$$;

GRANT EXECUTE ON FUNCTION set_append_only, drop_key_role TO agentruns_operator;
