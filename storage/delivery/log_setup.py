"""The log of a delivery process: stderr, which its starter leads into `delivery.log`."""

import logging
import sys
import time
from pathlib import Path

from agentruns.spool.layout import DELIVERY_LOG

#: A larger log is cut to its end when a delivery begins.
_MOST_BYTES = 5 * 2**20
_KEPT_BYTES = 2**20


def set_up_logging(spool: Path) -> None:
    """Log what our own code has to say, one line an event, in UTC."""
    shorten(spool / DELIVERY_LOG)
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger("storage")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Each lane tells of an outage once; its single tries are nobody's business.
    logging.getLogger("storage.retries").setLevel(logging.ERROR)
    # The drivers would tell of every try as well.
    logging.getLogger().addHandler(logging.NullHandler())


def shorten(log: Path) -> None:
    """Cut a log that has grown large to its last part."""
    try:
        with log.open("r+b") as file:
            if file.seek(0, 2) > _MOST_BYTES:
                file.seek(-_KEPT_BYTES, 2)
                end = file.read()
                file.seek(0)
                # In place: whoever has it open appends to what is there then.
                file.truncate()
                file.write(end[end.find(b"\n") + 1 :])
    except FileNotFoundError:
        return
