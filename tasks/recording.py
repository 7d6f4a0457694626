"""The steps of recording a run that Prefect shows."""

from collections.abc import Callable

from prefect import task
from prefect.cache_policies import NO_CACHE

from agentruns.commands.attempt import Attempt


# Trying again is the plan's business: a second start of a command is not a repeated write.
@task(cache_policy=NO_CACHE, persist_result=False, retries=0, task_run_name="attempt {number}")
def run_attempt(number: int, attempt: Callable[[], Attempt]) -> Attempt:
    """Run the command once and record what it prints and leaves."""
    return attempt()
