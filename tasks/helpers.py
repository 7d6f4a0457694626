"""Workers of a Prefect pool that help with a migration, looked after by the run that holds it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from storage.errors import StorageError
from storage.migration.claims import Claims
from storage.stores import shared_stores
from tasks.lanes import Lanes

DEPLOYMENT = "copy-batch/on-demand"
#: A worker of Prefect takes 6 to 12 seconds to begin a run.
PATIENCE_SECONDS = 60.0
#: Seconds from one look at them to the next.
_EVERY = 3.0
_UNKNOWN = (
    f"Prefect does not know {DEPLOYMENT}: 'agentruns deploy' gives it the flows. "
    "This process goes on alone."
)
_NOBODY = (
    "No worker of Prefect has begun to help within %.0f s; this process goes on alone. Start one "
    "with 'agentruns up' on this machine, or with 'prefect worker start --pool agentruns --type "
    "process' on one that sees the source under the same path."
)


class Helpers:
    """The runs that help; an end of one of them leaves what it held to the others."""

    def __init__(self, lanes: Lanes, clock: Callable[[], float] = time.monotonic) -> None:
        self._lanes = lanes
        self._clock = clock
        self._began_at = self._looked_at = clock()
        self._runs: list[UUID] = []
        self._is_awaited = True

    def start(self, count: int, *, verify: bool) -> None:
        """Ask Prefect for as many runs."""
        told: dict[str, Any] = {"verify": verify, "workers": self._lanes.size}
        told |= {"max_mb_per_s": self._lanes.max_mb_per_s}
        told |= {"migration_id": str(self._lanes.migration_id), "leader": str(self._lanes.worker)}
        try:
            for _ in range(count):
                run = run_deployment(DEPLOYMENT, parameters=told, timeout=0)
                # A promise only where an event loop runs, and no flow of ours has one.
                self._runs.append(cast(FlowRun, run).id)
        except ObjectNotFound:
            get_run_logger().warning(_UNKNOWN)

    def look(self) -> None:
        """Note which of them are over; called as often as you like."""
        if self._runs and self._clock() - self._looked_at >= _EVERY:
            self._looked_at = self._clock()
            # Whoever needs a server will say that it is away.
            with suppress(httpx.HTTPError, StorageError):
                self._note(self._read())

    def dismiss(self) -> None:
        """Call off those that have not begun; the others end by themselves."""
        if not self._runs:
            return
        with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            for run in self._read():
                if run.state and not (run.state.is_final() or run.state.is_running()):
                    told = "The migration came to its end without this run."
                    client.set_flow_run_state(run.id, Cancelled(message=told), force=True)

    def _note(self, runs: Sequence[FlowRun]) -> None:
        over = [run for run in runs if run.state and run.state.is_final()]
        stores, lanes = shared_stores(), self._lanes
        claims = Claims(stores.postgres, lanes.migration_id, lanes.worker)
        claims.forget_runs([run.id for run in over])
        for run in over:
            self._runs.remove(run.id)
            _say_if_bad(run)
        if self._is_awaited and any(run.start_time for run in runs):
            self._is_awaited = False
        if self._is_awaited and self._clock() - self._began_at > PATIENCE_SECONDS:
            self._is_awaited = False
            get_run_logger().warning(_NOBODY, PATIENCE_SECONDS)

    def _read(self) -> list[FlowRun]:
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=self._runs))
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(flow_run_filter=wanted)


@contextmanager
def helped(lanes: Lanes, count: int, *, verify: bool) -> Iterator[Helpers]:
    """Have other workers help while this lasts."""
    helpers = Helpers(lanes)
    try:
        helpers.start(count, verify=verify)
        yield helpers
    finally:
        helpers.dismiss()


def _say_if_bad(run: FlowRun) -> None:
    if run.state and not run.state.is_completed():
        why = run.state.message or "it says nothing"
        get_run_logger().warning("The run %s ended as %s: %s", run.name, run.state.name, why)
