-- The audit log goes through the functions of revision 0006.

-- name: audit
-- Note what who asks did, one entry for each object of the array.
SELECT audit(:what::text, :entries::jsonb);

-- name: audit_page
-- What was done, newest first.
SELECT id, at, who, address::text, what, agent_id, task_id, details
FROM audit_log
WHERE (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:task_id::uuid IS NULL OR task_id = :task_id)
    AND (:what::text IS NULL OR what = :what)
    AND (:since::timestamptz IS NULL OR at >= :since)
    AND (:after_at::timestamptz IS NULL OR (at, id) < (:after_at, :after_id::bigint))
ORDER BY at DESC, id DESC
LIMIT :rows;

-- name: audit_term
-- For how many days entries are kept.
SELECT days FROM audit_term;

-- name: audit_over
-- How many entries are older than so many days, and since when.
SELECT count(*), min(at)
FROM audit_log
WHERE at < :now::timestamptz - make_interval(days => :days::int);

-- name: prune_audit
-- Remove the oldest entries whose term is over, so many at most; gives how many went.
SELECT prune_audit(:rows::int);

-- name: keep_audit!
-- Set the term; for the owner alone.
UPDATE audit_term SET days = :days::int;
