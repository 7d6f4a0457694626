"""The delivery of one spool; there is one at a time."""

from collections.abc import Callable
from functools import partial
from threading import Event

from agentruns.spool import FileLock, Spool
from storage.access.agent_settings import settings_of
from storage.delivery.result import DeliveryResult
from storage.delivery.supervisor import Supervisor, is_deserted
from storage.errors import DeliveryRunning
from storage.settings import Settings


class Delivery:
    """Takes the events of a spool into the stores.

    Each agent's go with the credentials of that agent, see `settings_of`; with `settings`, all go
    with those.
    """

    def __init__(self, spool: Spool, settings: Settings | None = None) -> None:
        self._spool = spool
        self._claimed: FileLock | None = None
        self._settings_of: Callable[[str], Settings] = settings_of
        if settings:
            self._settings_of = lambda _: settings

    def drain(self, timeout: float | None = None) -> DeliveryResult:
        """Deliver what is there now, in at most `timeout` seconds and the batch begun by then.

        Without a timeout, a store that is away is given up after about ten seconds.

        Raises:
            DeliveryRunning: when another delivery is at work.
            SpoolError: when the spool cannot be used.
        """
        return self._supervised(lambda supervisor: supervisor.drain(timeout))

    def serve(self, stop: Event, *, forever: bool) -> DeliveryResult:
        """Deliver until `stop` is set, finishing the batches begun.

        Unless `forever`, it ends by itself when the spool is empty and no recorder lives, and when
        its settings or rights have been wrong for all that waits for a minute.

        Raises:
            DeliveryRunning: when another delivery is at work.
            SpoolError: when the spool cannot be used.
        """
        work = partial(Supervisor.serve, stop=stop, forever=forever)
        drained = self._supervised(work)
        # Whoever began a session while we held the lock relies on us.
        while not (forever or stop.is_set() or drained.gave_up or is_deserted(self._spool)):
            try:
                drained += self._supervised(work)
            except DeliveryRunning:
                break
        return drained

    def claim(self) -> None:
        """Become the delivery of the spool already, also for a child that is forked then.

        Raises:
            DeliveryRunning: when another delivery is at work.
            SpoolError: when the spool cannot be used.
        """
        self._claimed = self._acquired()

    def _acquired(self) -> FileLock:
        lock = self._spool.prepare().delivery_lock()
        if lock.acquire_from_askers():
            return lock
        holder = lock.signature()
        process = f" (process {holder})" if holder else ""
        raise DeliveryRunning(
            f"Another delivery is at work on {self._spool.folder}{process}; what is there arrives."
        )

    def _supervised(self, work: Callable[[Supervisor], None]) -> DeliveryResult:
        lock, self._claimed = self._claimed or self._acquired(), None
        try:
            lock.sign()
            self._spool.mend_ledger()
            with self._spool.ledger() as ledger:
                with Supervisor(self._spool, ledger, self._settings_of) as supervisor:
                    work(supervisor)
                return supervisor.result()
        finally:
            lock.release()
