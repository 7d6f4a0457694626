-- name: file from the future
-- table: binary_file_metadata
-- severity: warning
-- message: The file's times lie ahead; a clock is wrong, or somebody hides it from the comparison.
SELECT id, uploaded_at, stored_at
FROM binary_file_metadata
-- The first is told by the clock of some machine, the second by that of this database.
WHERE uploaded_at > now() + interval '1 day' OR stored_at > clock_timestamp()
