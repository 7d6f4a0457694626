"""What is tried again, and what is said about it."""

import logging

import pytest

from storage.errors import AccessDenied, RecordRejected, StorageError, StoreUnavailable
from storage.retries import retried


class Store:
    """Fails so many times before it works."""

    def __init__(self, failures: int, error: StorageError) -> None:
        self.failures = failures
        self.calls = 0
        self.error = error

    @retried
    def ask(self, secret: str) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return f"{len(secret)} characters"


def test_a_short_outage_is_not_noticed() -> None:
    store = Store(2, StoreUnavailable("away"))
    assert store.ask("secret") == "6 characters"
    assert store.calls == 3


def test_a_longer_one_is_told_after_three_attempts() -> None:
    store = Store(9, StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable, match="away"):
        store.ask("secret")
    assert store.calls == 3


@pytest.mark.parametrize("error", [AccessDenied("no"), RecordRejected("never")], ids=repr)
def test_what_cannot_pass_is_not_tried_again(error: StorageError) -> None:
    store = Store(9, error)
    with pytest.raises(type(error)):
        store.ask("secret")
    assert store.calls == 1


def test_a_repetition_is_logged_without_the_arguments(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        Store(1, StoreUnavailable("away")).ask("geheim")
    assert "is tried again" in caplog.text
    shown = capsys.readouterr()
    assert "geheim" not in caplog.text + shown.out + shown.err
