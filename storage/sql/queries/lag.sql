-- How far a migration is behind its source.

-- name: lag
-- What is new or changed and not yet imported, as the last inventory found it.
SELECT count(*) AS items, coalesce(sum(f.files), 0)::bigint AS files,
    coalesce(sum(f.size_bytes), 0)::bigint AS size_bytes,
    count(*) FILTER (WHERE i.reason = :recording) AS recording, min(f.oldest_ns) AS oldest_ns
FROM migration_items AS i
CROSS JOIN LATERAL (
    SELECT count(*) AS files, sum(n.size_bytes) AS size_bytes, min(n.modified_ns) AS oldest_ns
    FROM migration_files AS n
    WHERE n.item_id = i.id AND n.gone_at IS NULL AND n.status = 'listed'
) AS f
WHERE i.migration_id = :migration_id AND i.status = 'pending' AND i.gone_at IS NULL;
