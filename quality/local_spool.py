"""Whether the spool of this machine gets delivered, and what to do where it does not."""

from datetime import timedelta

from agentruns.models import Health, utcnow
from agentruns.spool import Spool, SpoolError, SpoolStatus, spool_status
from agentruns.spool.layout import DAMAGED, DELIVERY_LOG
from quality.pipeline import PipelineError, in_words
from storage.health import timed_health

SPOOL = "spool"
#: A delivery that finds its stores needs seconds.
LATE = timedelta(minutes=15)
SECONDS = 5.0


def local_spool(spool: Spool | None = None, late: timedelta = LATE) -> Health:
    """Whether nothing lies in the spool that was refused, damaged or left behind."""
    return timed_health(SPOOL, lambda: _look(spool or Spool(), late), SECONDS)


def _look(spool: Spool, late: timedelta) -> str:
    if not spool.is_there():
        return "No spool on this machine."
    try:
        status = spool_status(spool)
    except SpoolError as error:
        raise PipelineError(str(error)) from None
    if problems := _problems(status, late):
        raise PipelineError(" ".join(problems))
    return f"Events in {spool.folder} that wait for their delivery: {status.events}."


def _problems(status: SpoolStatus, late: timedelta) -> list[str]:
    problems = []
    if status.rejected:
        problems.append(
            f"Refused events: {status.rejected}; see why with 'agentruns spool rejected', "
            "then store them with 'agentruns spool retry'."
        )
    if status.damaged:
        problems.append(
            f"Damaged pieces kept aside: {status.damaged}; see the reports in "
            f"{status.folder / DAMAGED}, and move them away."
        )
    if status.oldest and (waiting := utcnow() - status.oldest) > late:
        problems.append(
            f"Events waiting: {status.events}, the first for {in_words(waiting)}; run 'agentruns "
            f"deliver', and see {status.folder / DELIVERY_LOG}."
        )
    return problems
