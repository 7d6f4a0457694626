"""What is tried again, how often and how soon: one answer for every Prefect task."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from storage.errors import StoreUnavailable

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS_MORE = 3
FIRST_DELAY_SECONDS = 1
#: Each delay grows by up to this share, so that many runs don't knock at one moment.
JITTER = 0.5


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether trying again may work: only a store that could not be reached comes back."""
    return isinstance(state.data, StoreUnavailable)


def store_task(function: Callable[P, R]) -> Task[P, R]:
    """A Prefect task that talks to stores: never cached, retried when one is away."""
    # A cached answer would claim what only the stores know.
    return task(
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=ATTEMPTS_MORE,
        retry_delay_seconds=exponential_backoff(FIRST_DELAY_SECONDS),
        retry_jitter_factor=JITTER,
        retry_condition_fn=may_pass,
    )(function)


def single_task(function: Callable[P, R]) -> Task[P, R]:
    """A Prefect task that is never cached nor tried again, as it answers in any case."""
    return task(cache_policy=NO_CACHE, persist_result=False, retries=0)(function)
