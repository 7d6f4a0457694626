"""What a delivery has to say in its log."""

import re
from pathlib import Path

#: More than a delivery writes about one outage.
TAIL_BYTES = 8192
OUTAGE = re.compile(r" (?P<lane>\w+) (?:wait: (?P<reason>.*)|go on after )")


def why_it_waits(spool: Path) -> str | None:
    """Why the delivery of a spool waits, in its own words; None when it goes on."""
    reasons: dict[str, str] = {}
    for outage in filter(None, map(OUTAGE.search, _last_lines(spool))):
        if outage["reason"]:
            reasons[outage["lane"]] = outage["reason"]
        else:
            reasons.pop(outage["lane"], None)
    return next(iter(reasons.values()), None)


def _last_lines(spool: Path) -> list[str]:
    # Late: it brings the spool.
    from agentruns.spool.layout import DELIVERY_LOG

    try:
        with (spool / DELIVERY_LOG).open("rb") as log:
            log.seek(max(log.seek(0, 2) - TAIL_BYTES, 0))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
