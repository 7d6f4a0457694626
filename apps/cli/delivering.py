"""`agentruns deliver`: take what waits in a spool into the stores."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.spooling import at, known_spool
from apps.cli.terminal import Terminal
from apps.cli.values import Flag, GivenTerminal

if TYPE_CHECKING:
    from agentruns.spool import Spool
    from storage.delivery import Delivery, DeliveryResult

#: Between two looks at whether another delivery has ended.
LOOK_SECONDS = 1.0


def deliver(*, spool: Path | None = None, once: Flag = False, terminal: GivenTerminal) -> Answer:
    """Take what waits in a spool into the stores.

    It goes on until Ctrl-C or SIGTERM, also while the spool is empty: as a service of the machine,
    or as a sidecar beside an agent. Exit code 1 when a store refused something for good.

    Example: `agentruns deliver --once`

    Args:
        spool: The folder of the spool; AGENTRUNS_SPOOL or the home of agentruns by default.
        once: End when everything is delivered, with exit code 3 when a store is away.
        terminal: Where to print.
    """
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    return _deliver_once(spool, terminal) if once else _serve(spool, terminal)


def _as_ctrl_c(*_: object) -> None:
    # Once: whoever ends a group of processes may send it twice, and the batch has to be finished.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _deliver_once(folder: Path | None, terminal: Terminal) -> Answer:
    # Late: the drivers come with it.
    from agentruns.spool import Spool
    from storage.delivery import Delivery, DeliveryResult
    from storage.errors import DeliveryRunning

    if folder is None and not Spool().is_there():
        text = f"There is no spool at {Spool().folder} yet, so nothing waits."
        return Answer(_document(DeliveryResult()), text)
    spool = known_spool(folder)
    with terminal.working(f"Delivering {spool.folder}"):
        try:
            drained = Delivery(spool).drain()
        except DeliveryRunning as error:
            return _held(spool, str(error))
    return _answer(drained, spool)


def _serve(folder: Path | None, terminal: Terminal) -> Answer:
    from agentruns.spool import Spool
    from storage.delivery import Delivery
    from storage.delivery.log_setup import set_up_logging

    spool = Spool(folder).prepare()
    set_up_logging(spool.folder)
    terminal.say(f"Delivering whatever comes into {spool.folder}; Ctrl-C ends it.")
    drained = _served(Delivery(spool), terminal)
    code = ExitCode.NOT_GOOD if drained.rejected else ExitCode.GOOD
    return Answer(_document(drained), _told(drained, [], spool), code)


def _served(delivery: "Delivery", terminal: Terminal) -> "DeliveryResult":
    """Serve in another thread, as a signal may interrupt this one anywhere."""
    stop = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="serve") as pool:
        served = pool.submit(_serve_in_turn, delivery, stop, terminal)
        try:
            return served.result()
        except KeyboardInterrupt:
            stop.set()
            return served.result()


def _serve_in_turn(delivery: "Delivery", stop: Event, terminal: Terminal) -> "DeliveryResult":
    """Serve once no other delivery does: a recorder may have started one."""
    from storage.delivery import DeliveryResult
    from storage.errors import DeliveryRunning

    said = False
    while not stop.is_set():
        try:
            return delivery.serve(stop, forever=True)
        except DeliveryRunning as error:
            if not said:
                terminal.say(f"{error} This one goes on when it ends.")
                said = True
            stop.wait(LOOK_SECONDS)
    return DeliveryResult()


def _answer(drained: "DeliveryResult", spool: "Spool") -> Answer:
    reasons = _reasons_to_wait() if drained.pending else []
    if reasons or (drained.pending and not _is_lively(spool)):
        code = ExitCode.AWAY
    else:
        code = ExitCode.NOT_GOOD if drained.rejected else ExitCode.GOOD
    return Answer(_document(drained), _told(drained, reasons, spool), code)


def _reasons_to_wait() -> list[str]:
    """What the stores that are not well have to say."""
    from storage import Stores

    with Stores() as stores:
        return [store.detail for store in stores.health() if not store.healthy]


def _is_lively(spool: "Spool") -> bool:
    """Whether a recorder may have brought what waits in the meantime."""
    return any(session.alive() for session in spool.sessions())


def _held(spool: "Spool", why: str) -> Answer:
    from agentruns.spool import spool_status
    from storage.delivery import DeliveryResult

    status = spool_status(spool)
    text = (
        f"{why} It has {status.events} events before it; "
        f"see how it gets on with 'agentruns spool status{at(spool)}'."
    )
    code = ExitCode.NOT_GOOD if status.events else ExitCode.GOOD
    return Answer(_document(DeliveryResult(pending=status.events)), text, code)


def _document(drained: "DeliveryResult") -> dict[str, Any]:
    return {
        "delivered": drained.delivered,
        "pending": drained.pending,
        "rejected": drained.rejected,
    }


def _told(drained: "DeliveryResult", reasons: list[str], spool: "Spool") -> Text:
    return Text("\n").join(_lines(drained, reasons, at(spool)))


def _lines(drained: "DeliveryResult", reasons: list[str], place: str) -> Iterator[Text]:
    counts = [f"{number} {kind}" for kind, number in drained.delivered.items() if number]
    yield Text(f"Delivered: {', '.join(counts) or 'nothing'}.")
    if drained.pending:
        yield Text(f"Waiting in the spool: {drained.pending} events, safely.")
    yield from map(Text, reasons)
    if drained.rejected:
        refused = f"Refused for good: {drained.rejected}; see why with 'agentruns spool rejected"
        yield Text(f"{refused}{place}'.", "yellow")
