-- Provisioning goes through the functions of revision 0004, which the operator may run.

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

-- name: known_agents
-- Every agent that was provisioned, by its id.
SELECT agent_id, append_only, created_at, disabled_at
FROM agents
WHERE :agent_id::text IS NULL OR agent_id = :agent_id
ORDER BY agent_id;

-- name: keys_of_agent
-- The keys of one agent, the newest first.
SELECT key_id, agent_id, created_at, completed_at, expires_at, revoked_at
FROM agent_keys
WHERE agent_id = :agent_id
ORDER BY created_at DESC, key_id;
