"""What has become of the events of a recorder."""

import time
from dataclasses import dataclass
from pathlib import Path

from agentruns.recording.delivery_starter import DeliveryStarter
from agentruns.spool import COUNTED, Ledger, Session

FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.1
#: Where nobody delivers and nothing can be started, a service may be about to come back.
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FlushResult:
    """What is in the stores, what is not yet, and what never will be."""

    delivered: dict[str, int]
    """Events in the stores, by kind: tasks, progress, logs, memories, files."""
    pending: int
    """Events that are safe in the spool and wait for their delivery."""
    rejected: int
    """Events that a store refused for good; `agentruns spool rejected` shows them."""
    delivering: bool
    """Whether a delivery is at work; without one, run `agentruns deliver`."""


NOTHING = FlushResult(dict.fromkeys(COUNTED, 0), 0, 0, False)


def await_delivery(
    session: Session, ledger: Ledger, starter: DeliveryStarter, timeout: float
) -> FlushResult:
    """Wait until everything of the session is acknowledged, or the time is over."""
    started, pause = time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        starter.look()
        at_work = starter.at_work()
        result = _result(session, ledger, at_work=at_work)
        hopeful = at_work or starter.can_start() or starter.left_to_others
        patience = timeout if hopeful else min(timeout, PATIENCE_SECONDS)
        left = started + patience - time.monotonic()
        if not result.pending or left <= 0:
            return result
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _result(session: Session, ledger: Ledger, *, at_work: bool) -> FlushResult:
    counts = ledger.counts(session.name)
    pending = max(0, session.appended - counts.acknowledged)
    return FlushResult(counts.delivered, pending, counts.rejected, at_work)


def what_is_left(result: FlushResult, spool: Path) -> str | None:
    """One line for people about what is not in the stores, or None when all is."""
    told = [*_about_pending(result, spool), *_about_rejected(result, spool)]
    return " ".join(told) or None


def _about_pending(result: FlushResult, spool: Path) -> list[str]:
    if not result.pending:
        return []
    events = f"{result.pending} events are" if result.pending > 1 else "1 event is"
    if result.delivering:
        return [f"{events} still in the spool {spool}; the running delivery will deliver them."]
    return [
        f"{events} still in the spool {spool}, and nobody delivers: "
        f"run `agentruns deliver --spool {spool}` (part of agentruns[server])."
    ]


def _about_rejected(result: FlushResult, spool: Path) -> list[str]:
    if not result.rejected:
        return []
    events = f"{result.rejected} events were" if result.rejected > 1 else "1 event was"
    return [f"{events} refused by a store: see `agentruns spool rejected --spool {spool}`."]
