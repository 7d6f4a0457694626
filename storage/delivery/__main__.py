"""`python -P -m storage.delivery SPOOL`: deliver until the spool is empty and nobody writes."""

import ctypes
import logging
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from threading import Event, Thread

from agentruns.spool import Spool, SpoolError
from storage.delivery.delivery import Delivery
from storage.delivery.log_setup import set_up_logging
from storage.errors import DeliveryRunning

_LOGGER = logging.getLogger("storage.delivery")
_SIGNALS = {signal.SIGTERM, signal.SIGINT}
#: `M_ARENA_MAX` of glibc's malloc.h.
_ARENAS = -8


def main() -> int:
    """Deliver; the exit code is 0 unless the spool cannot be used."""
    _share_arenas()
    arguments = _arguments()
    spool, stop = Spool(arguments.spool), Event()
    set_up_logging(spool.folder)
    delivery = Delivery(spool)
    try:
        if arguments.detach:
            _detach(delivery)
        _stop_on_signal(stop)
        _serve(delivery, stop, forever=arguments.forever)
    except DeliveryRunning as error:
        _LOGGER.info("%s", error)
    except SpoolError as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - the sentence says it all
        return 2
    return 0


def _arguments() -> Namespace:
    parser = ArgumentParser("storage.delivery", description="Deliver a spool into the stores.")
    parser.add_argument("spool", nargs="?", help="its folder (default: AGENTRUNS_SPOOL)")
    parser.add_argument("--forever", action="store_true", help="stay when the spool is empty")
    parser.add_argument("--detach", action="store_true", help="go on as nobody's child")
    return parser.parse_args()


def _share_arenas() -> None:
    """Let all threads share two pools of memory: one each kept 12 MB more, measured."""
    # Other C libraries have no such pools.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENAS, 2)


def _detach(delivery: Delivery) -> None:
    """Go on in a process that is no child of our starter, with the lock of the delivery.

    An agent that waits for all its children would wait for the delivery, which waits for it.
    """
    delivery.claim()
    # No thread and no connection is there yet that a fork could harm.
    if os.fork():
        os._exit(0)


def _serve(delivery: Delivery, stop: Event, *, forever: bool) -> None:
    _LOGGER.info("The delivery begins.")
    drained = delivery.serve(stop, forever=forever)
    counts = ", ".join(f"{number} {kind}" for kind, number in drained.delivered.items())
    _LOGGER.info(
        "The delivery ends: %s delivered, %d pending, %d rejected.",
        counts, drained.pending, drained.rejected,
    )  # fmt: skip


def _stop_on_signal(stop: Event) -> None:
    # A handler could interrupt the very lock that `Event.set` needs; a thread that waits cannot.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def wait() -> None:
        signal.sigwait(_SIGNALS)
        stop.set()

    Thread(target=wait, name="signals", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
