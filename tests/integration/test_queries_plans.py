"""No query reads or sorts a whole table, however its optional filters are combined."""

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from agentruns.models import AgentTask, utcnow
from storage.access.keys import new_key
from storage.access.postgres import PostgresAccess
from storage.postgres.address import with_login
from storage.postgres.bulk import _TASKS
from storage.postgres.queries import NAMES, query
from storage.postgres.transitions import BY_TIME, ONE_WAY

pytestmark = pytest.mark.slow

#: Rows in each table.
ROWS = 200_000
#: What may be read and not used, or sorted, on the way to a page of 100 rows.
FEW = ROWS // 20

BIG = {
    *("tasks", "task_progress", "evaluations", "binary_file_metadata", "audit_log"),
    *("migration_items", "migration_files", "migration_problems", "migration_differences"),
    *("inventory_parts", "object_inventory", "object_differences"),
    *("quality_runs", "quality_results", "deep_passes", "deep_objects", "object_readings"),
    *("quarantined_objects", "repair_actions"),
}

FILL = """
INSERT INTO tasks (id, agent_id, title, status, status_at, created_at)
SELECT md5('task' || n)::uuid, 'agent' || n % 100, 'task ' || n,
    CASE WHEN n % 1000 = 0 THEN 'in_progress' WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END,
    timestamptz '2026-01-01Z' + n * interval '1 minute',
    timestamptz '2026-01-01Z' + n * interval '1 minute'
FROM generate_series(1, 200000) AS n;

INSERT INTO task_progress (id, task_id, agent_id, step, progress_percent, "timestamp")
SELECT md5('step' || n)::uuid, md5('task' || n / 10 + 1)::uuid, 'agent' || (n / 10 + 1) % 100,
    n % 10, n % 100, timestamptz '2026-01-01Z' + n * interval '10 seconds'
FROM generate_series(1, 200000) AS n;

INSERT INTO binary_file_metadata (
    id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, uploaded_at
)
SELECT md5('file' || n)::uuid, 'agent' || (n / 10 + 1) % 100, md5('task' || n / 10 + 1)::uuid,
    CASE WHEN n % 50 = 0 THEN 'binaries' ELSE 'screenshots' END,
    'agent' || (n / 10 + 1) % 100 || '/' || n,
    CASE WHEN n % 100 = 0 THEN 'application/pdf' ELSE 'image/png' END,
    n, repeat('a', 64), timestamptz '2026-01-01Z' + n * interval '10 seconds'
FROM generate_series(1, 200000) AS n;

INSERT INTO evaluations (
    id, task_id, agent_id, scorer, scorer_version, score, evidence_at, created_at
)
SELECT md5('verdict' || n)::uuid, md5('task' || n / 4 + 1)::uuid, 'agent' || (n / 4 + 1) % 100,
    (ARRAY['outcome', 'efficiency', 'stability', 'overall'])[n % 4 + 1], '1', 0.5,
    clock_timestamp(), timestamptz '2026-01-01Z' + n * interval '10 seconds'
FROM generate_series(1, 200000) AS n;

INSERT INTO migrations (id, source, agent_id, timezone)
SELECT md5('migration' || n)::uuid, '/runs/' || n, 'agent' || n, 'UTC'
FROM generate_series(0, 99) AS n;

INSERT INTO migration_items (
    id, migration_id, path, format, files, size_bytes, fingerprint, status, task_ids, archive_path,
    copied_at
)
SELECT md5('item' || n)::uuid, md5('migration' || n % 100)::uuid, convert_to('run' || n, 'UTF8'),
    'cua', 1, 1000, ''::bytea,
    (ARRAY['imported', 'pending', 'archived', 'quarantined'])[n / 100 % 4 + 1],
    ARRAY[md5('task' || n)::uuid], 'a', now()
FROM generate_series(1, 200000) AS n;

INSERT INTO migration_files (migration_id, path, item_id, size_bytes, modified_ns, decision)
SELECT md5('migration' || n % 100)::uuid, convert_to('run' || n || '/a', 'UTF8'),
    md5('item' || n)::uuid, 1000, 0, 'import'
FROM generate_series(1, 200000) AS n;

INSERT INTO migration_problems (item_id, number, path, reason)
SELECT md5('item' || n)::uuid, 0, 'a', 'broken' FROM generate_series(1, 200000) AS n;

INSERT INTO migration_differences (item_id, number, path, difference)
SELECT md5('item' || n)::uuid, 0, 'a', 'missing' FROM generate_series(1, 200000) AS n;

INSERT INTO inventory_snapshots (id, grace)
SELECT md5('snapshot' || n)::uuid, '1 hour' FROM generate_series(0, 9) AS n;

INSERT INTO inventory_parts (snapshot_id, bucket, prefix, is_done)
SELECT md5('snapshot' || n % 10)::uuid, 'screenshots', 'agent' || n || '/', n % 100 <> 0
FROM generate_series(1, 200000) AS n;

INSERT INTO object_inventory (snapshot_id, bucket, object_path, size_bytes, etag)
SELECT md5('snapshot' || n % 10)::uuid, 'screenshots', 'agent' || n % 100 || '/' || n, n, 'a'
FROM generate_series(1, 200000) AS n;

INSERT INTO object_differences (snapshot_id, kind, bucket, object_path, file_id)
SELECT md5('snapshot' || n % 10)::uuid, (ARRAY['missing', 'orphan'])[n % 2 + 1], 'screenshots',
    'agent' || n % 100 || '/' || n, md5('file' || n)::uuid
FROM generate_series(1, 200000) AS n;

INSERT INTO deep_passes (id, scope, part, parts, began_at, finished_at)
SELECT md5('pass' || n)::uuid, 'subset ' || n % 30 + 1 || '/30', n % 30 + 1, 30,
    timestamptz '2026-01-01Z' + n * interval '1 minute',
    CASE WHEN n > 10 THEN timestamptz '2026-01-01Z' + n * interval '1 minute' END
FROM generate_series(1, 200000) AS n;

INSERT INTO deep_objects (pass_id, bucket, object_path, size_bytes, etag)
SELECT md5('pass' || n % 10)::uuid, 'screenshots', 'agent' || n % 100 || '/' || n, n, 'a'
FROM generate_series(1, 200000) AS n;

INSERT INTO object_readings (bucket, object_path, sha256, etag)
SELECT 'screenshots', 'agent' || n % 100 || '/' || n, repeat('b', 64), 'a'
FROM generate_series(1, 200000) AS n;

INSERT INTO quality_runs (id, started_at, finished_at)
SELECT md5('run' || n)::uuid, timestamptz '2026-01-01Z' + n * interval '1 minute',
    timestamptz '2026-01-01Z' + n * interval '1 minute'
FROM generate_series(1, 200000) AS n;

INSERT INTO quality_results (run_id, name, subject, severity, passed, message)
SELECT md5('run' || n / 20)::uuid, 'check ' || n % 20, 'tasks', 'error', true, 'bad'
FROM generate_series(20, 200019) AS n;

INSERT INTO quarantined_objects (
    id, agent_id, task_id, bucket, object_path, kept_as, reason, sha256, size_bytes
)
SELECT md5('aside' || n)::uuid, 'agent' || n % 100, md5('task' || n)::uuid, 'screenshots', 'a',
    n::text, 'bad', encode(sha256(n::text::bytea), 'hex'), n
FROM generate_series(1, 200000) AS n;

INSERT INTO repairs (id, began_at, snapshot_id)
SELECT md5('repair' || n)::uuid, timestamptz '2026-01-01Z' + n * interval '1 minute',
    gen_random_uuid()
FROM generate_series(0, 19) AS n;

INSERT INTO repair_actions (
    repair_id, turn, id, kind, bucket, object_path, agent, reason, details
)
SELECT md5('repair' || n % 20)::uuid, 4, md5('action' || n)::uuid, 'quarantine', 'screenshots',
    'agent' || n % 100 || '/' || n, 'agent' || n % 100, 'bad',
    jsonb_build_object('sha256', encode(sha256(n::text::bytea), 'hex'))
FROM generate_series(1, 200000) AS n;

INSERT INTO audit_log (at, who, what, agent_id, task_id)
SELECT timestamptz '2026-01-01Z' + n * interval '1 minute', 'agentruns_evaluator',
    CASE WHEN n % 1000 = 0 THEN 'key made' ELSE 'logs read' END,
    'agent' || n % 100, md5('task' || n)::uuid
FROM generate_series(1, 200000) AS n;
"""


#: The id that `FILL` gives to a task in the middle.
TASK = UUID(hashlib.md5(b"task7000", usedforsecurity=False).hexdigest())
MIDDLE = {"after_at": "2026-01-20T00:00:00Z", "after_id": TASK, "after_sequence": 7}
START = {"after_at": None, "after_id": None, "after_sequence": None}
#: The last tenth of the tasks is younger.
LATE = datetime(2026, 5, 6, tzinfo=UTC)
TOLD = {"tasks": _TASKS.dump_json([AgentTask(agent_id="agent1", title="x")]).decode()}
PROGRESS = dict.fromkeys(
    (
        *("id", "task_id", "agent_id", "step", "progress_percent", "message", "data"),
        *("timestamp", "sequence"),
    )
)
FILE = dict.fromkeys(
    (
        *("id", "agent_id", "task_id", "bucket", "object_path", "content_type", "size_bytes"),
        *("sha256", "etag", "metadata", "uploaded_at", "sequence"),
    )
)
VERDICT = dict.fromkeys(
    (
        *("id", "task_id", "agent_id", "pass_id", "scorer", "scorer_version", "score", "report"),
        *("metrics", "evidence_digest", "created_at"),
    )
)
BATCH = {
    "scorers": ["outcome", "overall"],
    "versions": ["1", "1"],
    "after_task_id": TASK,
    "size": 1000,
    "room": 500,
}


def combined(**choices):
    """Every combination of the filters, at the start of a list and in its middle."""
    return [
        dict(zip(choices, values, strict=True)) | {"rows": 101} | after
        for values in product(*choices.values())
        for after in (START, MIDDLE)
    ]


CASES = {
    "task": [{"id": TASK}],
    "tasks_page": combined(agent_id=[None, "agent7"], status=[None, "completed", "in_progress"]),
    "insert_tasks": [TOLD],
    "advance_tasks": [TOLD | {"one_way": ONE_WAY, "by_time": BY_TIME}],
    "complete_tasks": [TOLD],
    "lock_tasks": [{"ids": [TASK] * 1000}],
    "touch_tasks": [{"ids": [TASK] * 1000}],
    "heartbeat_tasks": [{"ids": [TASK] * 1000}],
    "progress_of_task": combined(task_id=[TASK]),
    "recent_progress": combined(agent_id=[None, "agent7"]),
    "insert_progress": [PROGRESS],
    "merge_progress": [{}],
    "files_page": combined(
        bucket=[None, "screenshots", "binaries"],
        task_id=[None, TASK],
        agent_id=[None, "agent7"],
        content_type=[None, "image/png", "application/pdf"],
    ),
    "missing_files_page": [{"task_id": TASK, "rows": 101} | at for at in (START, MIDDLE)],
    "insert_file": [FILE],
    "merge_files": [{}],
    "evaluations_page": combined(
        task_id=[None, TASK],
        agent_id=[None, "agent7"],
        scorer=[None, "overall"],
        scorer_version=[None, "1"],
    ),
    "insert_evaluation": [VERDICT],
    "merge_evaluations": [{}],
    "latest_scores": [{"task_ids": [TASK] * 100, "scorer": "overall"}],
    "interrupt_dead_runs": [{"seconds": 600, "rows": 1000, "reason": "rebooted"}],
    "silent_tasks": [{"seconds": 600, "rows": 10}],
    "oldest_unevaluated_task": [{"days": (utcnow() - LATE).days}],
    "open_pass": [{"id": TASK, "scorers": Jsonb([]), "parameters": Jsonb({})}],
    "count_batch": [
        {"id": TASK, "evaluated": 1, "skipped": 1, "failed": 1, "reached_agent_id": "agent7"}
        | {"reached_task_id": TASK, "after_agent_id": "", "after_task_id": TASK}
    ],
    "close_pass": [{"id": TASK, "errors": Jsonb({})}],
    "hold_the_pass": [{"key": 1}],
    "evidence_of_batch": [
        BATCH | {"agent_id": agent, "since": since, "force": force, "after_agent_id": after}
        for agent, since, force, after in product(
            [None, "agent7"], [None, "2026-01-20T00:00:00Z"], [False, True], ["", "agent5"]
        )
    ],
    "store_verdicts": [{"pass_id": TASK, "created_at": "2026-01-20T00:00:00Z"}],
    "store_new_verdicts": [{"pass_id": TASK, "created_at": "2026-01-20T00:00:00Z"}],
    "verdicts_of_tasks": [{"scorer": "overall", "version": "1", "ids": [TASK] * 100}],
    "agents_page": [
        {"agent_id": agent_id, "after": after, "rows": 101}
        for agent_id, after in ((None, None), (None, "agent5"), ("agent7", None))
    ],
    "keys_of_agents": [{"agent_ids": [f"agent{number}" for number in range(100)]}],
    "keys_to_retire": [{"now": utcnow()}],
    "is_key_over": [{}],
    "roles_to_drop": [{}],
    "audit_page": [
        {"agent_id": agent, "task_id": task, "what": what, "since": since, "rows": 101} | after
        for agent, task, what, since, after in product(
            [None, "agent7"],
            [None, TASK],
            [None, "key made", "logs read"],
            [None, LATE],
            [{"after_at": None, "after_id": None}, {"after_at": MIDDLE["after_at"], "after_id": 7}],
        )
    ],
    "audit_term": [{}],
    "audit_over": [{"now": datetime(2027, 2, 20, tzinfo=UTC), "days": 400}],
    "has_environment": [{}],
    "environment": [{}],
    "mark_environment": [{"installation": TASK, "environment": "dev"}],
    "rename_environment": [{"environment": "dev"}],
}
#: The ids that `FILL` gives to a migration and to one of its items.
MIGRATION = {"migration_id": UUID(hashlib.md5(b"migration7", usedforsecurity=False).hexdigest())}
ITEM = UUID(hashlib.md5(b"item7007", usedforsecurity=False).hexdigest())
ITEMS = {"ids": [ITEM] * 64}
KEY = {"after_path": b"run7000", "after_id": ITEM, "after_number": 0, "rows": 101}
SHARING = {"id": TASK, "worker": TASK, "helps": TASK, "flow_run_id": TASK, "silent": 30}
SHARING |= {
    "flow_run_ids": [TASK],
    "reason": "It goes on.",
    "files": 600,
    "size_bytes": 10**6,
} | ITEMS
MIGRATING = {
    "open_migration": [
        {"id": TASK, "source": "/runs/7", "agent_id": "agent7", "timezone": None}
        | {"only_format": None, "listing": True},
    ],
    "migration": [{"id": MIGRATION["migration_id"]}],
    "migrations_page": [
        {"after_at": at, "after_id": TASK, "rows": 101} for at in (None, "2026-01-20T00:00:00Z")
    ],
    "hold_migration": [{"id": TASK}],
    "place_scanned": [MIGRATION | {"largest_portion": 1000, "most_files": 10}],
    **{name: [MIGRATION] for name in ("store_items", "store_scanned", "miss_items", "miss_files")},
    "note_copy": [{"id": TASK}],
    "note_inventory": [{"id": TASK, "listed_with": "0.1.0 cua"}],
    "unchanged_items": [MIGRATION | {"listed_with": "0.1.0 cua"}],
    "note_verification": [{"id": TASK, "deep": True, "only_new": new} for new in (False, True)],
    "items_to_copy": [MIGRATION | KEY],
    "items_to_verify": [
        MIGRATION | {"after": after, "rows": 64, "only_new": only_new, "deep": False}
        for after in (None, ITEM)
        for only_new in (False, True)
    ],
    "items_by_id": [ITEMS],
    "files_of_items": [ITEMS],
    "note_copied": [
        {"id": ITEM, "status": "imported", "reason": None, "task_ids": [TASK], "problems": 0}
        | {"archive_path": "a", "counts": Jsonb({}), "fingerprint": b"", "recorded_as": TASK}
        | {"began_at": LATE, "stepped_at": LATE, "call_id": None, "compared": [TASK]}
        | {"own_task": TASK}
    ],
    "lag": [MIGRATION | {"recording": "It goes on."}],
    "look_for_recordings": [MIGRATION | {"days": 30, "apart": 5.0}],
    "tasks_to_supersede": [MIGRATION | KEY],
    "follow_verdicts": [{"old": TASK, "new": ITEM}],
    "follow_gone_items": [{"old": TASK, "new": ITEM, "item_id": ITEM}],
    "note_superseded": [{"old": TASK, "item_id": ITEM}],
    **{
        name: [{"old": TASK}]
        for name in ("drop_verdicts", "drop_steps", "drop_files", "drop_task", "own_records")
    },
    "live_tasks_of_runs": [
        {"agent_id": "agent7", "began": [LATE] * 64, "stepped": [LATE] * 64, "apart": 5.0}
        | {"calls": ["call"] * 64, "asked": [None] * 64, "silent": 3600}
    ],
    "note_copied_files": [
        MIGRATION
        | {"paths": [b"run7007/a"] * 4000, "statuses": ["imported"] * 4000}
        | {"reasons": [None] * 4000, "hashes": ["a" * 64] * 4000}
    ],
    "note_postponed": [{"id": ITEM, "reason": "It changes."}],
    "forget_problems": [{"item_ids": ITEMS["ids"]}],
    "forget_differences": [{"item_ids": ITEMS["ids"]}],
    "insert_problem": [
        {"item_id": ITEM, "number": 7, "path": "a", "byte_offset": None, "reason": "broken"}
    ],
    "insert_difference": [{"item_id": ITEM, "number": 7, "path": "a", "difference": "missing"}],
    "still_as_verified": [ITEMS | {"fingerprints": [b""] * len(ITEMS["ids"])}],
    "note_verified": [ITEMS | {"deep": False}],
    "note_different": [ITEMS],
    "archive_of_task": [{"task_id": TASK}],
    **{
        name: [MIGRATION | KEY]
        for name in ("quarantine_page", "differences_page", "retry_quarantined")
    },
    "accept_items": [MIGRATION | {"paths": [b"run7007"], "by": "ann"}],
    "note_cutover": [{"id": TASK, "by": "ann", "manifest_sha256": "a"}],
    "manifest_page": [MIGRATION | KEY],
    **{name: [MIGRATION] for name in ("count_items", "count_files", "count_obstacles")},
    "begin_step": [
        MIGRATION | {"step": step, "only_new": True, "deep": False} for step in ("copy", "verify")
    ],
    "end_step": [MIGRATION | {"step": "copy"}],
    "count_step": [
        MIGRATION | {"step": "copy", "items": 1, "files": 1, "size_bytes": 1, "troubled": 0}
    ],
    "steps_of_migration": [MIGRATION],
    "is_migration_held": [{"id": TASK}],
    **{
        name: [MIGRATION | KEY | SHARING]
        for name in (
            *("join_migration", "see_worker", "leave_migration", "forget_workers", "forget_runs"),
            *("may_help", "hold_help", "claim_items", "release_items", "free_items"),
            *("is_anything_left", "is_anything_postponed"),
        )
    },
    **{name: [{"ids": [TASK] * 1000}] for name in ("known_tasks", "known_progress")},
    **{name: [{"ids": [TASK] * 1000}] for name in ("known_evaluations", "known_files")},
    "known_archives": [{"paths": ["agent7/7.tar.zst"] * 64}],
}
ABOUT = {"id": TASK, "agent_id": "agent7", "task_id": TASK, "deletion_id": TASK, "rows": 5000}
ABOUT |= {"ids": [TASK] * 1000, "after": TASK, "reason": "gone", "paths": ["agent7/7"] * 1000}
OBJECTS = {"bucket": "screenshots", "folder": "agent7/x/", "archives": [], "items": 0}
OBJECTS |= {"task_ids": [TASK]}
DELETING = {
    **{
        name: [ABOUT | OBJECTS]
        for name in (
            *("lock_task_to_delete", "deletions_by_id", "deletion_of_task", "deletion_of_agent"),
            *("tombstone_of_agent", "deletions_to_finish", "take_deletions", "open_deletion"),
            *("bury_task", "bury_tasks", "finish_deletions", "note_sweeps", "readmit_agent"),
            *("tables_about", "paths_of_others", "objects_elsewhere", "delete_archives"),
            "archives_filed",
            *("delete_tasks_by_id", "delete_tasks", "forget_listed", "forget_different"),
            *("forget_to_read", "forget_readings"),
            *("items_of_task", "migrations_of_agent"),
            *("items_of_agent", "count_items_of_agent", "delete_migrations"),
            "delete_migration_steps",
            *("is_any_source_deleted", "delete_other_files", "deleted_tasks_page", "tasks_among"),
        )
    },
    **{
        name: [ABOUT | {"ids": [ITEM] * 20}]
        for name in (
            *("remember_sources", "mark_items_deleted", "mark_files_deleted", "delete_problems"),
            *("delete_differences", "delete_files_of_items", "delete_items"),
        )
    },
    **{
        name: [ABOUT | {"task_ids": task_ids} for task_ids in (None, [TASK] * 100)]
        for name in ("delete_progress", "delete_evaluations", "delete_files", "forget_missing")
    },
    "some_hold": [ABOUT | {"task_id": task_id} for task_id in (None, TASK)],
    "lock_agents_tasks": [ABOUT | {"after_at": at} for at in ("-infinity", MIDDLE["after_at"])],
    "note_found": [{"id": TASK, "found": Jsonb({})}],
    "deletions_to_sweep": [ABOUT | {"until": utcnow(), "after_due": "-infinity"}],
    "sources_of_size": [ABOUT | {"files": 7, "size_bytes": 7}],
}
JUDGING = {"agents": "agent7", "statuses": ["completed", "failed"], "scorer": None}
JUDGING |= {"keep_tagged": ["golden"], "after_agent_id": "agent5", "after_id": TASK, "rows": 1000}
RETAINING = {
    "policies": [{"name": name} for name in (None, "old")],
    "put_policy": [
        {"name": "old", "kind": "tasks", "agents": "*", "statuses": ["failed"], "keep_last": None}
        | {"older_than": "90 days", "keep_below": None, "scorer": None, "keep_tagged": []}
        | {"enabled": True}
    ],
    "remove_policy": [{"name": "old"}],
    **{name: [{"task_id": TASK, "reason": "why"}] for name in ("hold_task", "release_task")},
    "holds_page": [ABOUT | {"agent_id": agent_id} for agent_id in (None, "agent7")],
    "judge_tasks": [
        JUDGING | {"before": LATE, "keep_last": last, "keep_below": below}
        for last in (None, 50)
        for below in (None, 0.3)
    ],
    "lock_tasks_to_retain": [ABOUT],
    "weigh_tasks": [{"ids": [TASK] * 100}],
    **{
        name: [{"before": "2026-01-02T00:00:00Z", "keep_last": 1, "rows": 1000}]
        for name in ("count_old_passes", "prune_passes", "count_old_checks", "prune_checks")
    },
}
CASES |= MIGRATING | DELETING | RETAINING
#: The id that `FILL` gives to an inventory, and one of its parts.
SNAPSHOT = UUID(hashlib.md5(b"snapshot7", usedforsecurity=False).hexdigest())
PART = {"snapshot_id": SNAPSHOT, "bucket": "screenshots"}
PASS = UUID(hashlib.md5(b"pass7", usedforsecurity=False).hexdigest())
READINGS = {
    "id": PASS,
    "buckets": ["screenshots"] * 200,
    "paths": [f"agent7/{number}" for number in range(200)],
    "hashes": ["b" * 64] * 200,
    "sizes": [1] * 200,
    "etags": ["a"] * 200,
    "times": [None] * 200,
    "faults": [None] * 200,
}
CHECKING = {
    "hold_inventory": [{}],
    "unfinished_snapshot": [{"lately": "6 hours"}],
    "open_snapshot": [{"id": TASK, "grace": "1 hour"}],
    "snapshot": [{"id": SNAPSHOT}],
    "planned_buckets": [PART],
    "plan_parts": [PART | {"prefixes": ["agent7/"]}],
    "parts_to_list": [PART],
    "advance_part": [
        PART
        | {"prefix": "agent7/", "before": "", "reached": "x", "objects": 1, "size_bytes": 1}
        | {"is_done": False}
    ],
    "store_listed": [PART],
    "forget_differences_of_snapshot": [PART],
    "close_snapshot": [{"id": SNAPSHOT}],
    "old_snapshots": [{"keep": 2}],
    "forget_objects": [{"id": SNAPSHOT}],
    "forget_snapshot": [{"id": SNAPSHOT}],
    "compare_documents": [{"snapshot_id": SNAPSHOT, "collection": "agent_logs", "agent": "agent7"}],
    "forget_document_differences": [{"snapshot_id": SNAPSHOT}],
    "forget_told": [{"task_ids": [TASK], "agent_ids": ["agent7"]}],
    "hold_deep": [{}],
    "unfinished_passes": [{"scope": "all", "parts": parts} for parts in (None, 30)],
    "next_part": [{"parts": 30}],
    "open_pass_of_objects": [{"id": TASK, "scope": "all", "part": None, "parts": None}],
    "count_plan": [{"id": TASK}],
    "objects_to_read": [{"id": PASS, "bucket": "screenshots", "object_path": "x", "rows": 1000}],
    "forget_read_objects": [READINGS],
    "forget_older_readings": [READINGS],
    "keep_readings": [READINGS],
    "finish_pass_of_objects": [{"id": PASS}],
    "abandoned_passes": [{"lately": "31 days"}],
    "forget_objects_of_pass": [{"id": PASS}],
    "forget_pass_of_objects": [{"id": PASS}],
    "pass_at_work": [{}],
    "open_quality_run": [{"id": TASK}],
    "close_quality_run": [{"id": TASK, "snapshot_id": TASK, "passed": True}],
    "insert_quality_result": [
        {"run_id": TASK, "name": "x", "subject": "tasks", "severity": "error", "passed": True}
        | {"bad_rows": 0, "message": "x", "sample": Jsonb([]), "fault": None}
    ],
    "quality_runs_page": [
        {"after_at": at, "after_id": TASK, "rows": 101} for at in (None, "2026-01-20T00:00:00Z")
    ],
    "quality_results_of_run": [{"run_id": TASK}],
    "quality_history": [{"name": "check 7", "after_id": id_, "rows": 101} for id_ in (None, TASK)],
    "ended_quality_run": [{"id": id_} for id_ in (None, TASK)],
    "quality_trend": [{"until": "2026-01-20T00:00:00Z", "rows": 30}],
    "quality_checks_trend": [{"runs": [TASK], "names": ["check 7"]}],
}
CASES |= CHECKING
#: The id that `FILL` gives to a repair.
REPAIR = UUID(hashlib.md5(b"repair7", usedforsecurity=False).hexdigest())
ABOUT_ACTION = {"repair_id": REPAIR, "turn": 4, "id": TASK, "rows": 100, "after": TASK}
ABOUT_ACTION |= {"bucket": "screenshots", "object_path": "agent7/7", "agent": "agent7"}
ABOUT_ACTION |= {"task": TASK, "sha256": "a" * 64, "kind": "quarantine", "record": None}
ABOUT_ACTION |= {"row_id": TASK, "reason": "bad", "details": Jsonb({}), "ids": [TASK] * 100}
ABOUT_ACTION |= {"outcome": "done", "told": None, "kept_as": "a", "size_bytes": 1}
MENDING = {"id": TASK, "seen": "a", "changes": Jsonb({}), "agent": "agent7"}
REPAIRING = {
    "hold_repair": [{}],
    "unfinished_repair": [{"lately": "6 hours", "agent": "agent7"}],
    "open_repair": [{"id": TASK, "snapshot_id": TASK, "agent": None, "is_applied": True}],
    **{name: [{"id": REPAIR}] for name in ("repair", "note_collected", "note_planned")},
    "finish_repair": [{"id": REPAIR}],
    "forget_old_repairs": [{"keep": 20}],
    **{
        name: [ABOUT_ACTION]
        for name in (
            *("actions_to_do", "drop_actions", "insert_action", "end_action", "files_to_look_at"),
            *("facts_of_object", "content_in_quarantine", "content_in_sources"),
            "note_quarantined",
        )
    },
    "actions_page": [ABOUT_ACTION | {"after_turn": 4, "after_id": TASK}],
    "count_actions": [{"repair_id": REPAIR}],
    **{
        name: [MENDING]
        for name in ("mend_file", "mark_missing", "mend_task", "mend_step", "mend_verdict")
    },
    "delete_quarantined": [
        {"agent_id": "agent7", "task_ids": ids, "rows": 5000} for ids in (None, [TASK])
    ],
    "forget_repairs": [{"agent_ids": ["agent7"], "task_ids": [TASK]}],
}
CASES |= REPAIRING
#: Statements that have no plan, or whose plan is that of a function.
UNPLANNED = {name for name in NAMES if query(name).startswith(("CREATE TEMP", "COPY"))} | {
    *("add_agent", "make_agent_key", "complete_agent_key", "expire_agent_key"),
    *("revoke_agent_key", "retire_agent_key", "disable_agent", "set_component_password"),
    *("set_append_only", "drop_key_role", "audit", "prune_audit", "take_turn", "forget_agent"),
    # The owner's, on a table of one row.
    "keep_audit",
    *("analyze_inventory", "analyze_differences"),
    # It looks through every sample that is not empty.
    "forget_samples",
    # They compare everything with everything: reading whole tables is what they are for.
    *("compare_inventory", "find_moved_objects", "find_strange_orphans", "forget_deleted_objects"),
    *("plan_all_objects", "plan_sample_of_objects", "analyze_deep_objects"),
    *("collect_files", "collect_objects", "collect_agents"),
}
#: What an agent may not do at all.
OTHERS = {
    *("insert_evaluation", "merge_evaluations", "store_verdicts", "store_new_verdicts"),
    *("open_pass", "count_batch", "close_pass", "hold_the_pass", "roles_to_drop"),
    *("audit_page", "audit_term", "audit_over", "mark_environment", "rename_environment"),
    *MIGRATING,
    *DELETING,
    *RETAINING,
    *CHECKING,
    *REPAIRING,
}


@pytest.fixture(scope="module")
def whole(module_owner_url):
    with psycopg.connect(module_owner_url) as owner:
        fill(owner)


@pytest.fixture(scope="module")
def filled(whole, module_database_url):
    """As the operator, who sees all rows."""
    with prepared(module_database_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def agents_share(whole, module_database_url):
    """As one agent of a hundred."""
    key = new_key("agent7")
    PostgresAccess(module_database_url).grant(key)
    url = with_login(module_database_url, key.key_id, key.secret.get_secret_value())
    with prepared(url) as connection:
        yield connection


@contextmanager
def prepared(url):
    with psycopg.connect(url) as connection:
        for query_name in UNPLANNED:
            if query(query_name).startswith("CREATE"):
                connection.execute(query(query_name))
        for table in ("task_progress", "evaluations", "binary_file_metadata"):
            connection.execute(f"CREATE TEMP TABLE incoming_{table} (LIKE {table})")
        yield connection


def fill(connection):
    """Fill the tables before they have indexes and references, which is quicker."""
    for table in (*BIG, "migrations", "inventory_snapshots", "repairs"):
        connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE tablename = ANY(%s) AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [list(BIG)],
    ).fetchall()
    references = connection.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f'"
    ).fetchall()
    for table, name in references:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute(FILL)
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("ANALYZE")
    connection.commit()


def test_every_query_is_looked_at():
    assert set(CASES) | UNPLANNED == set(NAMES)


@pytest.mark.parametrize("name", CASES)
def test_no_plan_reads_or_sorts_a_whole_table(filled, name):
    check_plans(filled, name)


@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHERS])
def test_no_plan_of_an_agent_reads_or_sorts_a_whole_table(agents_share, name):
    check_plans(agents_share, name)


def check_plans(connection, name):
    for case in CASES[name]:
        for node in nodes(plan(connection, name, case)):
            kind, about = node["Node Type"], f"{name} with {case}: {node}"
            assert not (kind == "Seq Scan" and node.get("Relation Name") in BIG), about
            assert not (kind == "Sort" and node["Plan Rows"] > FEW), about
            assert node.get("Rows Removed by Filter", 0) <= FEW, about


def plan(connection, name, case):
    """What PostgreSQL does for a query; reading ones are run, to count what they read in vain."""
    how = "ANALYZE, " if query(name).lstrip().startswith(("SELECT", "WITH")) else ""
    rows = connection.execute(f"EXPLAIN ({how}FORMAT JSON) {query(name)}", case)
    return rows.fetchone()[0][0]["Plan"]


def nodes(node):
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)
