-- Who let whom in and out, written by the database itself: no component can leave it out.

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The role that logged in, whatever it became since, and the address that it came from.
    who text NOT NULL DEFAULT session_user,
    address inet DEFAULT inet_client_addr(),
    what text NOT NULL,
    agent_id text,
    details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object')
);

CREATE INDEX audit_of_agent ON audit_log (agent_id, id);

-- Nobody adds, changes or deletes: the triggers below run as the owner.
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON audit_log TO agentruns_operator, CURRENT_USER USING (true);
REVOKE ALL ON audit_log FROM PUBLIC;
GRANT SELECT ON audit_log TO agentruns_operator;

CREATE FUNCTION audit_agent() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_log (what, agent_id, details)
        VALUES ('agent added', new.agent_id, jsonb_build_object('append_only', new.append_only));
    ELSIF new.disabled_at IS DISTINCT FROM old.disabled_at THEN
        INSERT INTO audit_log (what, agent_id)
        VALUES (
            CASE WHEN new.disabled_at IS NULL THEN 'agent enabled' ELSE 'agent disabled' END,
            new.agent_id
        );
    ELSIF new.append_only IS DISTINCT FROM old.append_only THEN
        INSERT INTO audit_log (what, agent_id, details)
        VALUES ('rights changed', new.agent_id, jsonb_build_object('append_only', new.append_only));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_key() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    happened text := CASE
        WHEN TG_OP = 'INSERT' THEN 'key made'
        WHEN new.retired_at IS DISTINCT FROM old.retired_at THEN 'key retired'
        WHEN new.revoked_at IS DISTINCT FROM old.revoked_at THEN 'key revoked'
        WHEN new.expires_at IS DISTINCT FROM old.expires_at THEN 'key expires'
        WHEN new.completed_at IS DISTINCT FROM old.completed_at THEN 'key completed'
    END;
BEGIN
    IF happened IS NOT NULL THEN
        INSERT INTO audit_log (what, agent_id, details)
        VALUES (
            happened, new.agent_id,
            jsonb_strip_nulls(
                jsonb_build_object('key_id', new.key_id, 'expires_at', new.expires_at)
            )
        );
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER audited AFTER INSERT OR UPDATE ON agents
FOR EACH ROW EXECUTE FUNCTION audit_agent();
CREATE TRIGGER audited AFTER INSERT OR UPDATE ON agent_keys
FOR EACH ROW EXECUTE FUNCTION audit_key();
