-- Which environment this database belongs to, so that nobody opens another's by mistake.

CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The same in all three stores, made once.
    id uuid NOT NULL,
    environment text NOT NULL CHECK (environment ~ '^[a-z0-9-]{1,32}$'),
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Everybody reads it; the operator and the owner mark, and rename.
ALTER TABLE installation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY read_by_all ON installation FOR SELECT
TO agentruns_agent, agentruns_evaluator, agentruns_frontend USING (true);
CREATE POLICY all_rows ON installation TO agentruns_operator, CURRENT_USER USING (true);
REVOKE ALL ON installation FROM PUBLIC;
GRANT SELECT ON installation
TO agentruns_agent, agentruns_evaluator, agentruns_frontend, agentruns_operator;
GRANT INSERT (id, environment), UPDATE (environment) ON installation TO agentruns_operator;

CREATE FUNCTION audit_of_environment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO audit_log (what, details)
    VALUES (
        'environment renamed',
        jsonb_build_object('environment', new.environment, 'before', old.environment)
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER audited AFTER UPDATE ON installation
FOR EACH ROW WHEN (new.environment IS DISTINCT FROM old.environment)
EXECUTE FUNCTION audit_of_environment();
