-- name: quarantined object
-- table: current_objects
-- severity: info
-- message: The object was taken aside by a repair, with all its bytes; a person decides about it.
SELECT id, agent_id, bucket, object_path, reason, quarantined_at
FROM quarantined_objects
