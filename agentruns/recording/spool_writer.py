"""Writes what one recorder records into its spool, in whatever process it finds itself."""

import logging
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from agentruns.models import AgentTask, AnyRecord
from agentruns.recording.delivery_starter import DeliveryStarter
from agentruns.recording.flushing import NOTHING, FlushResult, await_delivery
from agentruns.recording.forking import begin_anew_in_children
from agentruns.spool import Session, Spool, SpoolError, SpoolUnusable

log = logging.getLogger("agentruns")


class SpoolWriter:
    """Appends records to a session, which is begun with the first and anew in a forked child."""

    def __init__(
        self,
        spool: Spool,
        starter: DeliveryStarter,
        *,
        max_bytes: int | None,
        on_begin: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._starter = starter
        self._max_bytes = max_bytes
        self._on_begin = on_begin
        self._session: Session | None = None
        self._last = NOTHING
        self._open: dict[UUID, AgentTask] = {}
        self._forget_threads()
        begin_anew_in_children(self)

    def append(self, records: Sequence[AnyRecord]) -> None:
        """Have the records on the disk."""
        self._write(lambda session: session.append(records))

    def open_run(self, task: AgentTask) -> None:
        """Have the beginning of a run on the disk."""
        self._write(lambda session: session.open_run(task))
        self._open[task.id] = task

    def close_run(self, task: AgentTask) -> None:
        """Have the end of a run on the disk."""
        self._write(lambda session: session.close_run(task))
        self._open.pop(task.id, None)

    def session(self) -> Session:
        """The session of this process."""
        if not (session := self._session):
            with self._turn:
                session = self._session = self._session or self._begin()
        return session

    def flush(self, timeout: float) -> FlushResult:
        """Wait until everything that was appended is acknowledged, or the time is over."""
        if not (session := self._session):
            return self._last
        with self._spool.ledger() as ledger:
            return await_delivery(session, ledger, self._starter, timeout)

    def close(self, timeout: float) -> FlushResult:
        """Flush and end the session; what comes later begins another one."""
        with self._turn:
            self._last = self.flush(timeout)
            session, self._session = self._session, None
            self._open.clear()  # what has no end by now is ended by the delivery
        if session:
            session.close()
        return self._last

    def begin_anew(self) -> None:
        """Leave the session to the parent, in a forked child."""
        self._forget_threads()
        self._starter.forget()
        self._open = {}
        session, self._session, self._last = self._session, None, NOTHING
        if session:
            session.abandon()

    def _forget_threads(self) -> None:
        # Another thread of the parent may have held the lock, and a child has none to release it.
        self._turn = threading.RLock()
        self._late: dict[int, list[Callable[[Session], None]]] = {}

    def _begin(self) -> Session:
        session = Session(self._spool, max_bytes=self._max_bytes)
        try:
            # Those of a session that was removed: without a note, nobody would end them.
            for task in list(self._open.values()):
                session.open_run(task)
        except BaseException:
            session.close()
            raise
        self._on_begin()
        return session

    def _write(self, write: Callable[[Session], None]) -> None:
        me = threading.get_ident()
        if (late := self._late.get(me)) is not None:
            # A signal handler or a finalizer, in the middle of a write of its own thread: as soon
            # as that is through, or given up, it is this one's turn.
            late.append(write)
            return
        late = self._late[me] = []
        try:
            try:
                self._write_now(write)
            finally:
                self._write_late(late)
        finally:
            del self._late[me]

    def _write_late(self, late: list[Callable[[Session], None]]) -> None:
        while late:
            try:
                self._write_now(late.pop(0))
            except SpoolError as error:
                log.warning("What was said in the middle of a call could not be kept: %s", error)

    def _write_now(self, write: Callable[[Session], None]) -> None:
        try:
            while not self._written(write, self.session()):
                pass  # its session was closed or removed meanwhile, and so may be the next one
        finally:
            # Also, and above all, when the spool is full.
            self._starter.look()

    def _written(self, write: Callable[[Session], None], session: Session) -> bool:
        """Whether the session took it; raises where it is the present one and can't."""
        try:
            write(session)
        except SpoolUnusable:
            if session is self._session and session.is_there():
                raise
            self._forget_removed(session)
            return False
        return True

    def _forget_removed(self, session: Session) -> None:
        with self._turn:
            if session is not self._session:
                return  # another thread has closed it, or was here before
            self._session = None
        log.warning(
            "The spool %s was removed in the middle of a recording: what lay there undelivered is "
            "gone. The recording goes on in a new one.", self._spool.folder,
        )  # fmt: skip
        session.close()
