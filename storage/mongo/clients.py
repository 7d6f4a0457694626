"""Connections to MongoDB clusters: opened when needed, a bounded number of them, closed in turn."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from pymongo import MongoClient

from storage.mongo.documents import Document
from storage.mongo.errors import translated

#: A reply that takes longer is not waited for; the driver's own default is to wait for ever.
REPLY_MS = 10_000
#: A server that is away is given up sooner; the driver's own default is 30 s.
AWAY_MS = 3000

#: Looks at a client that was opened, before anybody works with it, and raises what is against it.
Check = Callable[[MongoClient[Document], str], None]


@dataclass(slots=True)
class _Kept:
    client: MongoClient[Document]
    users: int = 0
    dropped: bool = False
    checked: bool = False

    def close_when_unused(self) -> None:
        if self.dropped and not self.users:
            self.client.close()


class Clients:
    """Clients by URL; the least recently used goes, once nobody works with it any more."""

    def __init__(self, limit: int = 8, check: Check | None = None) -> None:
        self._limit = limit
        self._check = check
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @contextmanager
    def lease(self, url: str) -> Iterator[MongoClient[Document]]:
        """A client that stays open inside the block; its errors come out as ours."""
        with translated(address(url)):
            kept = self._take(url)
            try:
                if self._check and not kept.checked:
                    self._check(kept.client, url)
                    kept.checked = True
                yield kept.client
            finally:
                self._give_back(kept)

    def close(self) -> None:
        """Close every client; one that is at work closes when its work is done."""
        with self._lock:
            while self._kept:
                self._drop_oldest()

    def _take(self, url: str) -> _Kept:
        with self._lock:
            if url not in self._kept:
                self._kept[url] = _Kept(_open(url))
            self._kept.move_to_end(url)
            kept = self._kept[url]
            kept.users += 1
            while len(self._kept) > self._limit:
                self._drop_oldest()
            return kept

    def _give_back(self, kept: _Kept) -> None:
        with self._lock:
            kept.users -= 1
            kept.close_when_unused()

    def _drop_oldest(self) -> None:
        _, oldest = self._kept.popitem(last=False)
        oldest.dropped = True
        oldest.close_when_unused()


def address(url: str) -> str:
    """Host and port of a URL, without user and password, for messages."""
    return url.partition("://")[2].rpartition("@")[2].partition("/")[0].partition("?")[0]


def _open(url: str) -> MongoClient[Document]:
    return MongoClient(
        url,
        # No I/O before the first command.
        connect=False,
        tz_aware=True,
        uuidRepresentation="standard",
        # Acknowledged means on disk.
        journal=True,
        maxPoolSize=16,
        # Repeated in one place, by `retried`; both together would wait three times over.
        retryReads=False,
        retryWrites=False,
        appname="agentruns",
        connectTimeoutMS=AWAY_MS,
        serverSelectionTimeoutMS=AWAY_MS,
        waitQueueTimeoutMS=AWAY_MS,
        # Not `timeoutMS`: it would overrule the server selection's shorter patience.
        socketTimeoutMS=REPLY_MS,
    )
