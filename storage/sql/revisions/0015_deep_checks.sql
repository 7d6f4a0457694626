-- What MongoDB tells of tasks against what PostgreSQL knows of them, and objects read to the end.

-- Task ids in MongoDB that do not fit the tasks; a healthy system has none.
CREATE TABLE document_differences (
    kind text NOT NULL CHECK (kind IN ('unknown task', 'another agent', 'before its task')),
    collection text NOT NULL CHECK (collection IN ('agent_logs', 'agent_memories')),
    -- Whose database it is. Not `agent_id`: the search after a deletion takes that for a record.
    agent text NOT NULL,
    -- The task's id as the documents tell it, which may be none.
    told text NOT NULL,
    -- NULL: what is told is no id. Not `task_id`, for the same reason.
    task uuid,
    -- Of the oldest of the documents, by its author's clock.
    first_at timestamptz,
    -- When a check found it first: what is on its way from a spool is known a little later.
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The newest check that found it.
    snapshot_id uuid NOT NULL,
    PRIMARY KEY (kind, collection, agent, told)
);

-- Objects are read to compare their content: all of them, a sample, or a part that a hash chooses.
CREATE TABLE deep_passes (
    id uuid PRIMARY KEY,
    -- In words: what is read. A pass that was cut off is found by it.
    scope text NOT NULL,
    part int,
    parts int,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    all_objects bigint NOT NULL DEFAULT 0,
    all_bytes bigint NOT NULL DEFAULT 0,
    objects bigint NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL DEFAULT 0,
    CONSTRAINT part_of_parts CHECK ((part IS NULL AND parts IS NULL) OR part BETWEEN 1 AND parts)
);

CREATE INDEX deep_passes_unfinished ON deep_passes (began_at) WHERE finished_at IS NULL;
CREATE INDEX deep_passes_of_parts ON deep_passes (parts, part, began_at)
WHERE finished_at IS NOT NULL;

-- What is left to read of a pass. No reference, as for inventories: checking it costs too much.
CREATE TABLE deep_objects (
    pass_id uuid NOT NULL,
    bucket text NOT NULL,
    object_path text NOT NULL,
    size_bytes bigint NOT NULL,
    etag text NOT NULL,
    modified_at timestamptz,
    PRIMARY KEY (pass_id, bucket, object_path)
);

-- Objects whose content was not the one that a row or the name tells, as they were read last.
CREATE TABLE object_readings (
    bucket text NOT NULL,
    object_path text NOT NULL,
    -- NULL: it could not be read.
    sha256 text,
    size_bytes bigint,
    -- Of the object that was read: another one has to be read anew.
    etag text NOT NULL,
    modified_at timestamptz,
    fault text,
    read_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (bucket, object_path)
);

-- What is still so: the object is the one that was read, and row or name still tell another content.
CREATE VIEW content_differences WITH (security_invoker = true) AS
SELECT
    CASE
        WHEN reading.sha256 IS NULL THEN 'unreadable'
        WHEN file.id IS NULL THEN 'name differs'
        ELSE 'content differs'
    END AS kind,
    reading.bucket,
    reading.object_path,
    file.id AS file_id,
    split_part(reading.object_path, '/', 1) AS agent,
    coalesce(file.sha256, named.sha256) AS expected,
    coalesce(reading.sha256, reading.fault) AS found,
    reading.read_at
FROM object_readings AS reading
INNER JOIN current_objects AS object
    ON object.bucket = reading.bucket
        AND object.object_path = reading.object_path
        AND object.etag = reading.etag
        -- A download tells whole seconds.
        AND date_trunc('second', object.modified_at) = date_trunc('second', reading.modified_at)
-- NULL in a name that tells none.
CROSS JOIN LATERAL (
    SELECT substring(
        split_part(reading.object_path, '/', 3) FROM '^([0-9a-f]{64})(?:[.]|$)'
    ) AS sha256
) AS named
LEFT JOIN LATERAL (
    SELECT stored.id, stored.sha256
    FROM binary_file_metadata AS stored
    WHERE stored.bucket = reading.bucket
        AND stored.object_path = reading.object_path
        AND stored.sha256 IS DISTINCT FROM reading.sha256
    ORDER BY stored.id
    LIMIT 1
) AS file ON true
WHERE reading.sha256 IS NULL OR file.id IS NOT NULL OR named.sha256 <> reading.sha256;

-- For the moment between its filling and its reading, as in an inventory.
CREATE FUNCTION analyze_deep_objects() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE public.deep_objects;
END
$$;

REVOKE EXECUTE ON FUNCTION analyze_deep_objects FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_deep_objects TO agentruns_operator;


-- Checking is the operator's work, and nobody else's business -------------------------------------

ALTER TABLE document_differences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deep_passes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deep_objects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE object_readings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON document_differences TO agentruns_operator USING (true);
CREATE POLICY all_rows ON deep_passes TO agentruns_operator USING (true);
CREATE POLICY all_rows ON deep_objects TO agentruns_operator USING (true);
CREATE POLICY all_rows ON object_readings TO agentruns_operator USING (true);
REVOKE ALL ON document_differences, deep_passes, deep_objects, object_readings,
content_differences
FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE
ON document_differences, deep_passes, deep_objects, object_readings
TO agentruns_operator;
GRANT SELECT ON content_differences TO agentruns_operator;
