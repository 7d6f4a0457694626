"""The checks of health as steps; each answers in any case, so none is tried again."""

from prefect import get_client

from agentruns.models import Health
from quality.dead_runs import DEAD, interrupt_dead_runs
from quality.local_spool import SPOOL, local_spool
from quality.pipeline import LAGGING, LINK, SILENT, evaluation_lag, picture_link, silent_tasks
from storage.errors import StoreUnavailable
from storage.health import timed_health
from storage.stores import shared_stores
from tasks.retries import single_task

#: The checks that ask how records flow; the others ask whether a server is there.
PIPELINE_CHECKS = frozenset({DEAD, SILENT, LAGGING, LINK, SPOOL})


@single_task
def check_stores() -> list[Health]:
    """How MongoDB, PostgreSQL and MinIO are."""
    return shared_stores().health()


@single_task
def check_prefect() -> Health:
    """How the Prefect server is that this run is told to."""
    return timed_health("prefect", _ask_prefect)


@single_task
def check_pipeline() -> list[Health]:
    """Whether records keep flowing, and whether a screenshot can be looked at."""
    stores = shared_stores()
    return [
        silent_tasks(stores.postgres),
        evaluation_lag(stores.postgres),
        picture_link(stores.postgres, stores.minio),
    ]


@single_task
def end_dead_runs() -> Health:
    """Mark runs as interrupted that a reboot of their machine has cut off."""
    return interrupt_dead_runs(shared_stores().postgres)


@single_task
def check_spool() -> Health:
    """Whether what agents on this machine recorded is on its way."""
    return local_spool()


def _ask_prefect() -> str:
    with get_client(sync_client=True) as client:
        if error := client.api_healthcheck():
            raise StoreUnavailable(
                f"The Prefect server does not answer ({type(error).__name__}); "
                "see whether it runs, and where PREFECT_API_URL points."
            )
        return f"Prefect {client.api_version()} answers."
