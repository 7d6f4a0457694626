-- Runs that were recorded live and also lie in a folder: one task, which the item names.

ALTER TABLE migration_items
-- The task of the live recording, which the item's archive belongs to.
ADD COLUMN recorded_as uuid,
-- When the run began and took its first step, by which its live recording is looked for.
ADD COLUMN began_at timestamptz,
ADD COLUMN stepped_at timestamptz,
ADD COLUMN call_id text,
-- The live tasks that it was compared with.
ADD COLUMN compared uuid [] NOT NULL DEFAULT '{}',
-- Tasks that were made of it before its live recording arrived, and are to go.
ADD COLUMN superseded uuid [] NOT NULL DEFAULT '{}';

CREATE INDEX migration_items_recorded ON migration_items (recorded_as)
WHERE recorded_as IS NOT NULL;
CREATE INDEX migration_items_maybe_recorded ON migration_items (migration_id, began_at)
WHERE status = 'imported' AND recorded_as IS NULL AND gone_at IS NULL;
CREATE INDEX migration_items_superseding ON migration_items (migration_id, path, id)
WHERE superseded <> '{}';
