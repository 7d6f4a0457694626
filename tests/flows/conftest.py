"""A Prefect of the tests' own, so that flows run as they do for users."""

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def prefect_server(clean_environment: None) -> Iterator[None]:
    """One temporary Prefect server for the session, which phones nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        # The default of 30 s is not enough on a machine where others are at work.
        with prefect_test_harness(server_startup_timeout=120):
            yield
