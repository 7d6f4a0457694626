"""Taking up again what a store refused, once the reason for it is gone."""

from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from agentruns.models import AnyRecord
from agentruns.spool.events import read_record
from agentruns.spool.layout import REJECTED
from agentruns.spool.ledger import Ledger, Rejected
from agentruns.spool.session import Session
from agentruns.spool.spool import Spool

#: Events at a time: one commit each, and nothing is forgotten before it.
BATCH = 100


class Unfit(NamedTuple):
    """A refused event that can't be delivered, however often it is tried."""

    id: str
    reason: str


class Retried(NamedTuple):
    """What became of refused events."""

    number: int
    """Events that wait for their delivery again."""
    unfit: list[Unfit]
    """Events that stay on the list."""


def retry_rejected(spool: Spool, ids: Collection[str] | None = None) -> Retried:
    """Have refused events delivered again, all of them or those with these ids.

    Each is in a new session of the spool before it leaves the list; killed in between, it is in
    both places and counts once, as it keeps its id and its place in the order.

    Raises:
        SpoolError: when the spool can't be written; what was not taken up stays on the list.
    """
    number, unfit = 0, []
    with spool.ledger() as ledger, closing(Session(spool)) as session:
        for page in _pages(ledger, ids):
            fit: dict[str, AnyRecord] = {}
            for one in page:
                try:
                    fit[one.id] = read_record(one.kind, one.payload, None, _folder(spool))
                except ValueError as error:
                    unfit.append(Unfit(one.id, str(error)))
            unfit += _append(session, fit)
            ledger.forget_rejected([one for one in page if one.id in fit])
            number += len(fit)
        _sweep(spool, ledger)
    return Retried(number, unfit)


def object_of(spool: Spool, rejected: Rejected) -> Path | None:
    """The content that belongs to a refused event, where it is still there."""
    if rejected.object is None:
        return None
    path = _folder(spool) / Path(rejected.object).name
    return path if path.is_file() else None


def _append(session: Session, fit: dict[str, AnyRecord]) -> list[Unfit]:
    """Append the events; those whose object is not what it was are taken out of `fit` and told."""
    try:
        session.append(list(fit.values()))
    except ValueError:
        return [unfit for id_ in tuple(fit) for unfit in _append_one(session, fit, id_)]
    return []


def _append_one(session: Session, fit: dict[str, AnyRecord], id_: str) -> list[Unfit]:
    try:
        session.append([fit[id_]])
    except ValueError:
        del fit[id_]
        return [Unfit(id_, "its object is not what was recorded")]
    return []


def _sweep(spool: Spool, ledger: Ledger) -> None:
    """Remove objects that no refused event has."""
    lock = spool.delivery_lock()
    # A delivery may be about to name one of them; then they go with the next retry.
    if not lock.acquire():
        return
    try:
        for path in _folder(spool).glob("*"):
            if not ledger.needs_object(path.name):
                path.unlink(missing_ok=True)
    finally:
        lock.release()


def _folder(spool: Spool) -> Path:
    return spool.folder / REJECTED


def _pages(ledger: Ledger, ids: Collection[str] | None) -> Iterator[list[Rejected]]:
    if ids is not None:
        yield ledger.find_rejected(ids)
        return
    after: str | None = None
    while page := ledger.rejected(BATCH, after):
        yield page
        after = page[-1].id
