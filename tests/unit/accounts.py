"""Whether a reader accounts for every file of an item."""

from agentruns.models import AgentTask, Upload
from agentruns.trajectories import Problem


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def sources(records):
    """The paths, as reports print them, that records or problems name."""
    named = {problem.path for problem in of(Problem, records)}
    for record in records:
        if isinstance(record, Upload):
            named.add(record.file.metadata["source"])
        elif not isinstance(record, AgentTask | Problem) and "source" in record.data:
            named.add(record.data["source"])
    return named


def identities(records):
    return [
        record.file.id if isinstance(record, Upload) else record.id
        for record in records
        if not isinstance(record, Problem)
    ]


def task_of(record):
    if isinstance(record, AgentTask):
        return record.id
    return record.file.task_id if isinstance(record, Upload) else record.task_id


def is_in_order(records):
    """Each task comes before its records, and no id comes twice."""
    told, ids = set(), identities(records)
    for record in records:
        if isinstance(record, AgentTask):
            told.add(record.id)
        elif not isinstance(record, Problem) and task_of(record) not in told:
            return False
    return len(set(ids)) == len(ids)
