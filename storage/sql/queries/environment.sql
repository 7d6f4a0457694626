-- The marker of the environment, which revision 0013 keeps.

-- name: has_environment
-- Whether the schema is new enough to have a marker.
SELECT to_regclass('public.installation') IS NOT NULL;

-- name: environment
-- Which environment and installation this database belongs to; no row before it is marked.
SELECT environment, id AS installation, marked_at FROM installation;

-- name: mark_environment!
-- Mark the database, unless it is marked.
INSERT INTO installation (id, environment)
VALUES (:installation::uuid, :environment::text)
ON CONFLICT DO NOTHING;

-- name: rename_environment!
-- Let a marked database belong to another environment.
UPDATE installation SET environment = :environment::text WHERE environment <> :environment;
