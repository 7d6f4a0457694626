-- Provisioning goes through the functions of revision 0004, which the operator may run.

-- name: take_turn
-- Whether nobody else works on an agent's keys; while this connection lasts, nobody else does.
SELECT pg_try_advisory_lock(hashtext('agentruns provisioning'), hashtext(:agent_id::text));

-- name: add_agent
-- Make an agent known, and enable it when it was disabled.
SELECT add_agent(:agent_id::text, :append_only::boolean);

-- name: make_agent_key
-- Let an agent in with a key; the same key again gets the password given last.
SELECT make_agent_key(:key_id::text, :agent_id::text, :verifier::text);

-- name: complete_agent_key
-- Note that all three stores know a key.
SELECT complete_agent_key(:key_id::text);

-- name: expire_agent_key
-- Let a key count until a moment and no longer.
SELECT expire_agent_key(:key_id::text, :at::timestamptz);

-- name: revoke_agent_key
-- Let a key count no more, and end its connections.
SELECT revoke_agent_key(:key_id::text);

-- name: disable_agent
-- Revoke all keys of an agent and let nobody make new ones.
SELECT disable_agent(:agent_id::text);

-- name: set_component_password
-- Give a component's role a password.
SELECT set_component_password(:component::text, :verifier::text);

-- name: retire_agent_key
-- Note that no store lets a key in any more.
SELECT retire_agent_key(:key_id::text);

-- name: is_key_over
-- Whether who asks has the key of an agent that counts no more.
SELECT EXISTS (
    SELECT FROM agent_keys
    WHERE key_id = session_user::text
        AND (revoked_at IS NOT NULL OR expires_at <= statement_timestamp())
);

-- name: agents_page
-- The agents that were let in, by id.
SELECT agent_id, append_only, created_at, disabled_at
FROM agents
WHERE (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:after::text IS NULL OR agent_id > :after)
ORDER BY agent_id
LIMIT :rows;

-- name: keys_of_agents
-- The keys of these agents, the newest first.
SELECT key_id, agent_id, created_at, completed_at, expires_at, revoked_at, retired_at
FROM agent_keys
WHERE agent_id = ANY(:agent_ids::text[])
ORDER BY created_at DESC, key_id;

-- name: keys_to_retire
-- Keys that some store may let in although they are over, oldest first.
SELECT k.key_id, k.agent_id, k.created_at, k.completed_at, k.expires_at, k.revoked_at, k.retired_at
FROM agent_keys AS k
JOIN agents AS a USING (agent_id)
WHERE k.retired_at IS NULL
    AND (k.revoked_at IS NOT NULL OR k.expires_at <= :now OR a.disabled_at IS NOT NULL)
ORDER BY k.key_id
LIMIT 1000;

-- name: set_append_only
-- Note whether an agent may only add to what it recorded.
SELECT set_append_only(:agent_id::text, :append_only::boolean);

-- name: roles_to_drop
-- Keys that no store lets in any more and that still are roles.
SELECT k.key_id
FROM pg_roles AS r
JOIN agent_keys AS k ON k.key_id = r.rolname::text
WHERE k.retired_at IS NOT NULL
ORDER BY k.key_id
LIMIT 1000;

-- name: drop_key_role
-- Drop the role of a retired key; gives whether it is gone.
SELECT drop_key_role(:key_id::text);
