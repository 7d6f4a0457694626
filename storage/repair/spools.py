"""Contents that still lie in a spool of this machine, each only for the agent that put it there."""

import os
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from agentruns.models import Upload
from agentruns.spool import Lane, Segment, Spool
from agentruns.spool.retrying import object_of

_PAGE = 1000


def contents_in(spool: Spool, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Path]:
    """Where the wanted contents lie, each by agent and SHA-256; none for another agent."""
    if not wanted or not spool.is_there():
        return {}
    hashes = {sha256 for _, sha256 in wanted}
    lying = chain(_delivered_soon(spool, hashes), _refused(spool))
    return {key: path for key, path in lying if key in wanted}


def _delivered_soon(spool: Spool, hashes: set[str]) -> Iterator[tuple[tuple[str, str], Path]]:
    for session in spool.sessions():
        for segment in session.segments():
            # Only where a file is called like one of them is it worth reading whose it is.
            if any(name.partition(".")[0] in hashes for name in os.listdir(segment.path)):  # noqa: PTH208 - names, a hundred times quicker than paths
                yield from _uploads(segment)


def _uploads(segment: Segment) -> Iterator[tuple[tuple[str, str], Path]]:
    after = 0
    while events := segment.read(Lane.FILES, after, _PAGE):
        after = events[-1].position
        for event in events:
            if isinstance(event.record, Upload) and isinstance(event.record.content, Path):
                file = event.record.file
                yield (file.agent_id, file.sha256), event.record.content


def _refused(spool: Spool) -> Iterator[tuple[tuple[str, str], Path]]:
    after = ""
    with spool.ledger() as ledger:
        while page := ledger.rejected(_PAGE, after):
            after = page[-1].id
            for one in page:
                path = object_of(spool, one)
                if path and one.agent_id:
                    yield (one.agent_id, path.name.partition(".")[0]), path
