"""Why no repair mends what a check finds, and what a person can do about it."""

_BY_CHECK = {
    "missing object": "Its bytes were not found: name a spool with --spool where they may lie.",
    "orphan object": "Its task is unknown: deliver the spool of its agent, then repair again.",
    "lost file": "Bring its spool (--spool) or its migration's source back, and repair again.",
    "lost file is back": "'agentruns repair --apply' shows it again.",
    "quarantined object": "Look into the bucket 'quarantine'; nothing there is removed for you.",
    "duplicate path": "Rows disagree, and nothing says which is right: compare them by hand.",
    "file without task": "Neither row nor path names a task that is there; it may be to come.",
    "file from the future": "The clock of its machine was wrong; only its owner knows the time.",
    "unknown status": "What became of the task is written nowhere else: set its status by hand.",
    "task without title": "Only a person knows what the task was called.",
    "task times out of order": "One of its times is wrong, and nothing says which.",
    "task with a wrong end": "Status and end disagree; look at its log entries and its last steps.",
    "task from the future": "The clock of its machine was wrong; only its owner knows the time.",
    "unreadable object": "Mend the disk of the object store, or bring the object from a backup.",
    "content against its name": "Row and content agree against the name: compare them by hand.",
    "path of another content": "Row and content agree against the name: compare them by hand.",
    "unknown task in MongoDB": "The task may be in the spool of its agent: deliver that.",
    "migration stands still": "'agentruns migrate run' goes on with it.",
    "migration items pending": "'agentruns migrate run' goes on with them.",
    "deletion not finished": "Repeat the deletion, or see whether finish-deletions runs.",
    "percent out of range": "What was meant is written nowhere else.",
    "negative step": "What was meant is written nowhere else.",
    "progress without task": "Its task is not there; it may be in the spool of its agent.",
    "progress before its task": "The clock of its machine was wrong, or its task is another one.",
    "progress from the future": "The clock of its machine was wrong; its owner knows the time.",
    "score out of range": "Evaluate the task again with --force, then remove this verdict.",
    "verdict without scorer": "Nothing says who gave it: evaluate the task again, then remove it.",
    "verdict without task": "Its task is not there, so nobody sees it: remove it by hand.",
    "verdict before its task": "The clock of its machine was wrong; evaluate again with --force.",
    "verdict given twice": "A repair removes no row: keep one of the two, and remove the other.",
}
_ELSE = "A repair changes nothing that other data does not prove; look at the rows that it names."


def advice_on(check: str) -> str:
    """What to say about what a check finds."""
    return _BY_CHECK.get(check, _ELSE)
