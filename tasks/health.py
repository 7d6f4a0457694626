"""The checks of health as steps; each answers in any case, so none is tried again."""

from prefect import get_client, task
from prefect.cache_policies import NO_CACHE

from agentruns.models import Health
from quality.pipeline import evaluation_lag, picture_link, silent_tasks
from storage.errors import StoreUnavailable
from storage.health import timed_health
from storage.stores import shared_stores


@task(cache_policy=NO_CACHE, persist_result=False)
def check_stores() -> list[Health]:
    """How MongoDB, PostgreSQL and MinIO are."""
    return shared_stores().health()


@task(cache_policy=NO_CACHE, persist_result=False)
def check_prefect() -> Health:
    """How the Prefect server is that this run is told to."""
    return timed_health("prefect", _ask_prefect)


@task(cache_policy=NO_CACHE, persist_result=False)
def check_pipeline() -> list[Health]:
    """Whether records keep flowing, and whether a screenshot can be looked at."""
    stores = shared_stores()
    return [
        silent_tasks(stores.postgres),
        evaluation_lag(stores.postgres),
        picture_link(stores.postgres, stores.minio),
    ]


def _ask_prefect() -> str:
    with get_client(sync_client=True) as client:
        if error := client.api_healthcheck():
            raise StoreUnavailable(
                f"The Prefect server does not answer ({type(error).__name__}); "
                "see whether it runs, and where PREFECT_API_URL points."
            )
        return f"Prefect {client.api_version()} answers."
