-- What a ledger is asked and told. Each statement stands below its name.

-- name: position
SELECT position FROM positions WHERE segment = ? AND lane = ?

-- name: advance
INSERT INTO positions (segment, lane, position) VALUES (?, ?, ?)
ON CONFLICT (segment, lane) DO UPDATE SET position = max(position, excluded.position)

-- name: count_delivered
INSERT INTO delivered (session, kind, number) VALUES (?, ?, ?)
ON CONFLICT (session, kind) DO UPDATE SET number = number + excluded.number

-- name: acknowledged_of_session
-- Positions have no gaps, so that their sum is the number of events.
SELECT coalesce(sum(position), 0) FROM positions WHERE segment > ? AND segment < ?

-- name: delivered_of_session
SELECT kind, number FROM delivered WHERE session = ?

-- name: rejected_of_session
SELECT count(*) FROM rejected WHERE session = ?

-- name: reject
INSERT OR REPLACE INTO rejected
(id, session, kind, agent_id, task_id, reason, payload, object, rejected_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: list_rejected
SELECT id, session, kind, agent_id, task_id, reason, payload, object, rejected_at
FROM rejected WHERE id > ? ORDER BY id LIMIT ?

-- name: find_rejected
SELECT id, session, kind, agent_id, task_id, reason, payload, object, rejected_at
FROM rejected WHERE id = ?

-- name: count_rejected
SELECT count(*) FROM rejected

-- name: forget_rejected
-- Not one that was refused once more meanwhile.
DELETE FROM rejected WHERE id = ? AND rejected_at = ?

-- name: has_object
SELECT 1 FROM rejected WHERE object = ? LIMIT 1

-- name: add_touched
INSERT INTO news_of_tasks (agent_id, task_id) VALUES (?, ?)

-- name: touched_agents
SELECT DISTINCT agent_id FROM news_of_tasks

-- name: touched
SELECT serial, task_id FROM news_of_tasks WHERE agent_id = ? ORDER BY serial LIMIT ?

-- name: forget_touched
DELETE FROM news_of_tasks WHERE agent_id = ? AND serial <= ?

-- name: forget_positions
DELETE FROM positions WHERE segment > ? AND segment < ?

-- name: forget_delivered
DELETE FROM delivered WHERE session = ?
