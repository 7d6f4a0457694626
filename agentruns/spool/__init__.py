"""The crash-proof queue on the agent's machine: what a call was given is on the disk.

SPOOL/sessions/<session>/<segment>/events.db   events, appended by one process only
                                   <sha256>.png objects beside them
      ledger.db                                 what has become of the events
      rejected/, damaged/                       what no store takes, what can't be read
"""

from agentruns.spool.errors import DiskFull, SpoolError, SpoolFull, SpoolTooNew, SpoolUnusable
from agentruns.spool.events import COUNTED, Event
from agentruns.spool.lanes import Lane, lane_of
from agentruns.spool.ledger import Counts, Ledger, Rejected, TouchedTasks
from agentruns.spool.locks import FileLock
from agentruns.spool.retrying import Retried, Unfit, object_of, retry_rejected
from agentruns.spool.segment import Segment
from agentruns.spool.session import Session
from agentruns.spool.session_folder import SessionFolder
from agentruns.spool.spool import Spool, default_spool
from agentruns.spool.status import SpoolStatus, spool_status

__all__ = [
    "COUNTED",
    "Counts",
    "DiskFull",
    "Event",
    "FileLock",
    "Lane",
    "Ledger",
    "Rejected",
    "Retried",
    "Segment",
    "Session",
    "SessionFolder",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "SpoolStatus",
    "SpoolTooNew",
    "SpoolUnusable",
    "TouchedTasks",
    "Unfit",
    "default_spool",
    "lane_of",
    "object_of",
    "retry_rejected",
    "spool_status",
]
