-- Folders of old runs on their way into the stores. Paths are the bytes that the file system has.

-- name: open_migration
-- The migration of a source for an agent, made when there is none yet.
INSERT INTO migrations (id, source, agent_id, timezone, only_format)
VALUES (:id, :source, :agent_id, coalesce(:timezone::text, 'UTC'), :only_format)
ON CONFLICT (source, agent_id) DO UPDATE SET
    timezone = coalesce(:timezone::text, migrations.timezone),
    only_format = CASE
        WHEN :listing::boolean THEN excluded.only_format ELSE migrations.only_format
    END
RETURNING id, source, agent_id, timezone, only_format, created_at, inventoried_at, copied_at, verified_at,
    deeply_verified_at, cutover_at, cutover_by, manifest_sha256;

-- name: migration
-- One migration.
SELECT id, source, agent_id, timezone, only_format, created_at, inventoried_at, copied_at, verified_at,
    deeply_verified_at, cutover_at, cutover_by, manifest_sha256
FROM migrations
WHERE id = :id;

-- name: migrations_page
-- Migrations, newest first.
SELECT id, source, agent_id, timezone, only_format, created_at, inventoried_at, copied_at, verified_at,
    deeply_verified_at, cutover_at, cutover_by, manifest_sha256
FROM migrations
WHERE :after_at::timestamptz IS NULL
    OR (created_at, id) < (:after_at::timestamptz, :after_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT :rows;

-- name: hold_migration
-- Whether nobody else works on a migration; while this transaction lasts, nobody else does.
SELECT pg_try_advisory_xact_lock(hashtext('agentruns migration'), hashtext(:id::text));

-- name: make_room_for_scanned!
-- For every path below the source.
CREATE TEMP TABLE scanned (
    path bytea NOT NULL, folder bytea NOT NULL, size_bytes bigint NOT NULL,
    modified_ns bigint NOT NULL, reason text
) ON COMMIT DROP;

-- name: make_room_for_members!
-- For the paths that belong to an item.
CREATE TEMP TABLE members (
    path bytea NOT NULL, item_path bytea NOT NULL, format text NOT NULL
) ON COMMIT DROP;

-- name: copy_scanned!
-- Every path below the source.
COPY scanned (path, folder, size_bytes, modified_ns, reason) FROM STDIN;

-- name: copy_members!
-- Which of them belong to an item.
COPY members (path, item_path, format) FROM STDIN;

-- name: make_room_for_placed!
-- For every path beside the item that it belongs to.
CREATE TEMP TABLE placed (
    path bytea PRIMARY KEY, size_bytes bigint NOT NULL, modified_ns bigint NOT NULL,
    decision text NOT NULL, reason text, item_path bytea NOT NULL, format text, item_id uuid
) ON COMMIT DROP;

-- name: place_scanned!
-- Each path into its item; what lies loose is archived folder by folder, in bearable portions.
INSERT INTO placed
SELECT p.path, p.size_bytes, p.modified_ns,
    CASE
        WHEN p.reason IS NOT NULL THEN 'ignore'
        WHEN p.format IS NOT NULL THEN 'import'
        ELSE 'archive'
    END,
    p.reason, p.item_path, p.format,
    md5(
        convert_to(:migration_id::text || ' ' || coalesce(p.format, '') || p.part, 'UTF8')
        || '\x00'::bytea || p.item_path
    )::uuid
FROM (
    SELECT s.path, s.size_bytes, s.modified_ns, s.reason, m.format,
        coalesce(m.item_path, s.folder) AS item_path,
        CASE
            WHEN m.format IS NULL THEN ' ' || (
                sum(s.size_bytes) OVER loose / :largest_portion::bigint
                + row_number() OVER loose / :most_files::bigint
            )::bigint
            ELSE ''
        END AS part
    FROM scanned AS s
    LEFT JOIN (
        SELECT DISTINCT ON (path) path, item_path, format FROM members ORDER BY path, item_path
    ) AS m ON m.path = s.path
    WINDOW loose AS (PARTITION BY m.format IS NULL, s.folder ORDER BY s.path)
) AS p;

-- name: store_items!
-- What is new or changed is to be copied; what was copied as it is now stays so.
INSERT INTO migration_items (id, migration_id, path, format, files, size_bytes, fingerprint)
SELECT item_id, :migration_id::uuid, item_path, format, count(*), sum(size_bytes),
    sha256(
        string_agg(
            path || convert_to(' ' || size_bytes || ' ' || modified_ns || ' ', 'UTF8'),
            ''::bytea ORDER BY path
        )
    )
FROM placed
WHERE decision <> 'ignore'
GROUP BY item_id, item_path, format
ON CONFLICT (id) DO UPDATE SET
    files = excluded.files, size_bytes = excluded.size_bytes, fingerprint = excluded.fingerprint,
    gone_at = NULL,
    status = CASE
        -- For good, whatever became of its files.
        WHEN migration_items.status = 'deleted'
            OR migration_items.copied_fingerprint = excluded.fingerprint
        THEN migration_items.status
        ELSE 'pending'
    END,
    verified_at = CASE
        WHEN migration_items.copied_fingerprint = excluded.fingerprint
        THEN migration_items.verified_at
    END,
    deeply_verified_at = CASE
        WHEN migration_items.copied_fingerprint = excluded.fingerprint
        THEN migration_items.deeply_verified_at
    END;

-- name: store_scanned!
-- The manifest of the source; a file that changed has no hash until it is read again.
INSERT INTO migration_files (
    migration_id, path, item_id, size_bytes, modified_ns, decision, reason, status
)
SELECT :migration_id::uuid, path, CASE WHEN decision <> 'ignore' THEN item_id END, size_bytes,
    modified_ns, decision, reason, CASE WHEN decision = 'ignore' THEN 'ignored' ELSE 'listed' END
FROM placed
ON CONFLICT (migration_id, path) DO UPDATE SET
    item_id = excluded.item_id, size_bytes = excluded.size_bytes,
    modified_ns = excluded.modified_ns, decision = excluded.decision, gone_at = NULL,
    status = excluded.status, reason = excluded.reason, sha256 = NULL
WHERE (
    migration_files.item_id, migration_files.size_bytes, migration_files.modified_ns,
    migration_files.decision, migration_files.gone_at
) IS DISTINCT FROM (
    excluded.item_id, excluded.size_bytes, excluded.modified_ns, excluded.decision, NULL
);

-- name: miss_items!
-- Note which items the source no longer has.
UPDATE migration_items SET gone_at = clock_timestamp()
WHERE migration_id = :migration_id AND gone_at IS NULL
    AND id NOT IN (SELECT DISTINCT item_id FROM placed WHERE decision <> 'ignore');

-- name: miss_files!
-- Note which files the source no longer has.
UPDATE migration_files SET gone_at = clock_timestamp()
WHERE migration_id = :migration_id AND gone_at IS NULL
    AND NOT EXISTS (SELECT FROM placed AS p WHERE p.path = migration_files.path);

-- name: note_inventory!
-- The inventory is up to date.
UPDATE migrations SET inventoried_at = clock_timestamp(), listed_with = :listed_with WHERE id = :id;

-- name: unchanged_items
-- How many items a source has that holds what it held when the same readers looked into it; no row when it changed.
SELECT (
    SELECT count(*) FROM migration_items AS i
    WHERE i.migration_id = m.id AND i.gone_at IS NULL
)
FROM migrations AS m
WHERE m.id = :migration_id AND m.listed_with = :listed_with
    AND (SELECT count(*) FROM scanned) = (
        SELECT count(*) FROM migration_files AS f
        WHERE f.migration_id = :migration_id AND f.gone_at IS NULL
    )
    AND NOT EXISTS (
        SELECT FROM scanned AS s
        LEFT JOIN migration_files AS f
            ON f.migration_id = :migration_id AND f.path = s.path AND f.gone_at IS NULL
        WHERE f.path IS NULL OR f.size_bytes <> s.size_bytes OR f.modified_ns <> s.modified_ns
            OR (f.decision = 'ignore') <> (s.reason IS NOT NULL)
            OR (s.reason IS NOT NULL AND f.reason IS DISTINCT FROM s.reason)
    );

-- name: items_to_copy
-- The next items that are to be copied after a place, with what is needed to cut them in batches.
SELECT id, path, format, files, size_bytes
FROM migration_items
WHERE migration_id = :migration_id AND status = 'pending' AND gone_at IS NULL
    AND (path, id) > (:after_path::bytea, :after_id::uuid)
ORDER BY path, id
LIMIT :rows;

-- name: items_by_id
-- These items, as an inventory found them.
SELECT id, migration_id, path, format, files, size_bytes, fingerprint, status, reason, accepted_by,
    task_ids, archive_path, counts, copied_at, verified_at, deeply_verified_at, gone_at,
    recorded_as, superseded
FROM migration_items
WHERE id = ANY(:ids::uuid [])
ORDER BY path, id;

-- name: files_of_items
-- The files of some items, in order.
SELECT item_id, path, size_bytes, modified_ns, status, sha256
FROM migration_files
WHERE item_id = ANY(:ids::uuid []) AND gone_at IS NULL
ORDER BY item_id, path;

-- name: note_copied!
-- What became of an item that was read while its files were as the inventory found them.
UPDATE migration_items
SET status = :status, reason = :reason, problems = :problems, task_ids = :task_ids::uuid [],
    recorded_as = :recorded_as::uuid, began_at = :began_at, stepped_at = :stepped_at,
    call_id = :call_id, compared = :compared::uuid [],
    -- Of a live recording that came later, also after a copy that was killed before it was noted, or
    -- even before its task had a row: then its objects or log entries may be there.
    superseded = CASE
        WHEN :recorded_as::uuid IS NULL THEN superseded
        ELSE ARRAY(
            SELECT DISTINCT old.id FROM unnest(superseded || task_ids || :own_task::uuid) AS old (id)
            LEFT JOIN tasks AS t ON t.id = old.id
            WHERE old.id <> ALL(:task_ids::uuid [])
                AND (t.id IS NOT NULL OR old.id = :own_task::uuid)
        )
    END,
    archive_path = :archive_path, counts = :counts, copied_fingerprint = :fingerprint::bytea,
    copied_at = clock_timestamp(), verified_at = NULL, deeply_verified_at = NULL
WHERE id = :id AND fingerprint = :fingerprint::bytea;

-- name: note_copied_files!
-- What became of files, and the hash of what was read of each.
UPDATE migration_files AS f SET status = n.status, reason = n.reason, sha256 = n.sha256
FROM unnest(:paths::bytea [], :statuses::text [], :reasons::text [], :hashes::text [])
    AS n (path, status, reason, sha256)
WHERE f.migration_id = :migration_id AND f.path = n.path;

-- name: note_postponed!
-- Why an item waits for the next run.
UPDATE migration_items SET reason = :reason WHERE id = :id AND status = 'pending';

-- name: forget_problems!
-- Items are read again.
DELETE FROM migration_problems WHERE item_id = ANY(:item_ids::uuid []);

-- name: insert_problem!
-- A part of an item that could not be read.
INSERT INTO migration_problems (item_id, number, path, byte_offset, reason)
VALUES (:item_id, :number, :path, :byte_offset, :reason)
ON CONFLICT DO NOTHING;

-- name: retry_quarantined!
-- Copy again what could not be imported as a whole or in part.
UPDATE migration_items SET status = 'pending', copied_fingerprint = NULL, reason = NULL
WHERE migration_id = :migration_id AND gone_at IS NULL
    AND (status = 'quarantined' OR problems > 0);

-- name: note_copy!
-- Everything that could be copied is copied.
UPDATE migrations SET copied_at = clock_timestamp() WHERE id = :id;

-- name: count_items
-- Items, files and bytes of a migration, by format and status.
SELECT coalesce(format, 'no format') AS format, status, gone_at IS NOT NULL AS is_gone,
    count(*) AS items, sum(files) AS files, sum(size_bytes) AS size_bytes,
    count(*) FILTER (WHERE verified_at IS NOT NULL) AS verified,
    count(*) FILTER (WHERE deeply_verified_at IS NOT NULL) AS deeply_verified
FROM migration_items
WHERE migration_id = :migration_id
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: count_files
-- Files and bytes of a migration by status.
SELECT status, count(*) AS files, sum(size_bytes) AS size_bytes
FROM migration_files
WHERE migration_id = :migration_id AND gone_at IS NULL
GROUP BY status
ORDER BY status;

-- name: quarantine_page
-- What could not be imported: whole items and parts of items, in order.
SELECT i.id, i.path, i.format, i.status, i.accepted_by, coalesce(p.number, -1) AS number,
    p.path AS part, p.byte_offset, coalesce(p.reason, i.reason) AS reason
FROM migration_items AS i
LEFT JOIN migration_problems AS p ON p.item_id = i.id
WHERE i.migration_id = :migration_id AND i.gone_at IS NULL
    AND (i.status = 'quarantined' OR p.item_id IS NOT NULL)
    AND (i.path, i.id, coalesce(p.number, -1))
    > (:after_path::bytea, :after_id::uuid, :after_number::int)
ORDER BY i.path, i.id, number
LIMIT :rows;

-- name: archive_of_task
-- The newest archive of the files that a task came from.
SELECT archive_path
FROM migration_items
WHERE task_ids @> ARRAY[:task_id::uuid] AND archive_path IS NOT NULL
ORDER BY copied_at DESC
LIMIT 1;

-- name: items_to_verify
-- The next items that were copied, after a place; all, or those that were not verified since.
SELECT id
FROM migration_items
WHERE migration_id = :migration_id AND gone_at IS NULL AND status IN ('imported', 'archived')
    AND (
        NOT coalesce(:only_new::boolean, false)
        OR CASE WHEN :deep::boolean THEN deeply_verified_at ELSE verified_at END IS NULL
    )
    AND (path, id) > (
        coalesce((SELECT path FROM migration_items WHERE id = :after::uuid), ''::bytea),
        coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
    )
ORDER BY path, id
LIMIT :rows;

-- name: still_as_verified
-- Which items are in the stores as they were when somebody read them to verify them; they stay so meanwhile.
SELECT i.id
FROM unnest(:ids::uuid [], :fingerprints::bytea []) AS seen (id, fingerprint)
INNER JOIN migration_items AS i ON i.id = seen.id
WHERE i.fingerprint = seen.fingerprint AND i.copied_fingerprint = seen.fingerprint
ORDER BY i.id
FOR NO KEY UPDATE OF i;

-- name: note_verified!
-- Items are in the stores as they are in the source.
UPDATE migration_items
SET verified_at = clock_timestamp(),
    deeply_verified_at = CASE
        WHEN :deep::boolean THEN clock_timestamp() ELSE deeply_verified_at
    END
WHERE id = ANY(:ids::uuid []);

-- name: note_different!
-- Items are not in the stores as they are in the source.
UPDATE migration_items SET verified_at = NULL, deeply_verified_at = NULL
WHERE id = ANY(:ids::uuid []);

-- name: forget_differences!
-- Items are verified again.
DELETE FROM migration_differences WHERE item_id = ANY(:item_ids::uuid []);

-- name: insert_difference!
-- One thing that is not as it should be.
INSERT INTO migration_differences (item_id, number, path, difference)
VALUES (:item_id, :number, :path, :difference);

-- name: differences_page
-- What verification found, in order.
SELECT i.id, i.path, d.number, d.path AS part, d.difference
FROM migration_items AS i
INNER JOIN migration_differences AS d ON d.item_id = i.id
WHERE i.migration_id = :migration_id AND i.gone_at IS NULL
    AND (i.path, i.id, d.number) > (:after_path::bytea, :after_id::uuid, :after_number::int)
ORDER BY i.path, i.id, d.number
LIMIT :rows;

-- name: note_verification!
-- The whole migration was verified; where only what was new was read, as of the item that was read last.
UPDATE migrations AS m
SET verified_at = coalesce(
        CASE WHEN :only_new::boolean THEN coalesce(seen.at, m.verified_at) END, clock_timestamp()
    ),
    deeply_verified_at = CASE
        WHEN NOT :deep::boolean THEN m.deeply_verified_at
        WHEN :only_new::boolean THEN coalesce(seen.deeply_at, m.deeply_verified_at)
        ELSE clock_timestamp()
    END
FROM (
    SELECT max(verified_at) AS at, max(deeply_verified_at) AS deeply_at
    FROM migration_items
    WHERE :only_new::boolean AND migration_id = :id AND gone_at IS NULL
) AS seen
WHERE m.id = :id;

-- name: known_progress
-- Which of these steps are there.
SELECT id FROM task_progress WHERE id = ANY(:ids::uuid []);

-- name: known_tasks
-- Which of these tasks are there.
SELECT id FROM tasks WHERE id = ANY(:ids::uuid []);

-- name: known_evaluations
-- Which of these verdicts are there.
SELECT id FROM evaluations WHERE id = ANY(:ids::uuid []);

-- name: known_files
-- The rows of these files.
SELECT id, bucket, object_path, size_bytes, sha256, etag
FROM binary_file_metadata
WHERE id = ANY(:ids::uuid []);

-- name: known_archives
-- The rows of these archives.
SELECT object_path, bucket, object_path, size_bytes, sha256, etag
FROM binary_file_metadata
WHERE bucket = 'binaries' AND object_path = ANY(:paths::text []);

-- name: accept_items!
-- Somebody takes it that these items are only imported in part, or not at all.
UPDATE migration_items SET accepted_by = :by
WHERE migration_id = :migration_id AND gone_at IS NULL AND path = ANY(:paths::bytea [])
    AND (status = 'quarantined' OR problems > 0);

-- name: count_obstacles
-- What stands in the way of a cutover.
SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (
        WHERE (status = 'quarantined' OR problems > 0) AND accepted_by IS NULL
    ) AS quarantined,
    count(*) FILTER (
        WHERE status IN ('imported', 'archived') AND deeply_verified_at IS NULL
    ) AS unverified,
    count(*) AS items
FROM migration_items
WHERE migration_id = :migration_id AND gone_at IS NULL;

-- name: note_cutover!
-- From here on, the stores are what counts.
UPDATE migrations
SET cutover_at = clock_timestamp(), cutover_by = :by, manifest_sha256 = :manifest_sha256
WHERE id = :id;

-- name: manifest_page
-- The next files of the manifest, in the order of their bytes.
SELECT path, size_bytes, sha256, decision
FROM migration_files
WHERE migration_id = :migration_id AND gone_at IS NULL AND path > :after_path::bytea
ORDER BY path
LIMIT :rows;
