-- What a pass needs to go through the ended tasks agent by agent, and to count each batch once.

-- Agent by agent, so that the logs of a batch lie in few MongoDB databases.
CREATE INDEX tasks_ended ON tasks (agent_id, id)
WHERE status IN ('completed', 'failed', 'cancelled', 'interrupted');

-- The last task that is counted; '' and the smallest id stand before the first.
ALTER TABLE evaluation_passes
ADD COLUMN reached_agent_id text NOT NULL DEFAULT '',
ADD COLUMN reached_task_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
