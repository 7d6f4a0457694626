-- name: migration stands still
-- table: migrations
-- severity: warning
-- message: A step of the migration was cut off; run 'agentruns migrate run' again, and it goes on.
SELECT migrations.id, migrations.agent_id, steps.step, steps.seen_at
FROM migrations
INNER JOIN migration_steps AS steps ON steps.migration_id = migrations.id
WHERE migrations.cutover_at IS NULL
    AND steps.ended_at IS NULL
    AND steps.seen_at < now() - interval '1 hour'
