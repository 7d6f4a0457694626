-- What a delivery has done. Kept until the session it is about is over and delivered.
CREATE TABLE IF NOT EXISTS positions (
    segment TEXT NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (segment, lane)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivered (
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (session, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejected (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    agent_id TEXT,
    task_id TEXT,
    reason TEXT NOT NULL,
    payload TEXT NOT NULL,
    object TEXT,
    rejected_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rejected_by_session ON rejected (session);
-- Tasks about which something was stored outside PostgreSQL, which has yet to hear of it.
-- Not `touched_tasks`, which a spool of before may have: it tells no agent.
-- A serial, so that what is added while PostgreSQL is told of the earlier ones is not forgotten with them.
CREATE TABLE IF NOT EXISTS news_of_tasks (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL,
    task_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS news_by_agent ON news_of_tasks (agent_id, serial);
