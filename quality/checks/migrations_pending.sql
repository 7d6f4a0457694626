-- name: migration items pending
-- table: migrations
-- severity: warning
-- message: Runs were listed more than a day ago and are not copied yet; run 'agentruns migrate run'.
SELECT migrations.id, migrations.agent_id, count(*) AS items
FROM migrations
INNER JOIN migration_items AS items ON items.migration_id = migrations.id
WHERE items.status = 'pending'
    AND items.gone_at IS NULL
    AND migrations.inventoried_at < now() - interval '1 day'
GROUP BY migrations.id
