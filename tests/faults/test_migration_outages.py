"""A store that goes away in the middle of a migration: what it was doing is done later, once."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from apps.stack import Stack
from storage.errors import StoreUnavailable
from storage.minio import clients as minio_clients
from storage.mongo import clients as mongo_clients
from storage.postgres import PostgresAdapter
from storage.postgres import adapter as postgres_adapter
from storage.settings import Settings
from tests.faults.conftest import Proxied
from tests.faults.migrating import RUN, Job, steps
from tests.faults.migration_sessions import Session
from tests.faults.proxy import Proxy
from tests.faults.recording_trials import SEED, TRIALS, moments
from tests.faults.test_recording_outages import frozen
from tests.integration.bad_runs import run

#: What a step sends to a store while it is at work.
SENT = {
    ("mongo", "copy"): b"insert",
    ("mongo", "verify"): b"find",
    ("postgres", "copy"): b"INSERT INTO task_progress",
    ("postgres", "verify"): b"FROM task_progress",
    ("minio", "copy"): b"PUT /screenshots/",
    ("minio", "verify"): b"GET /screenshots/",
}
#: As long is a server frozen.
SECONDS = 2.0
#: Faults of each store in each step; waiting for them takes a while.
AT_ONCE = 1 if TRIALS < 20 else 4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are short here, so that they can be waited for."""
    monkeypatch.setattr(minio_clients, "READ_SECONDS", 1.5)
    monkeypatch.setattr(mongo_clients, "REPLY_MS", 1500)
    monkeypatch.setattr(mongo_clients, "AWAY_MS", 700)
    monkeypatch.setattr(postgres_adapter, "_BATCH_SECONDS", 2.0)
    monkeypatch.setitem(PostgresAdapter.__init__.__kwdefaults__, "seconds", 2.0)


@pytest.fixture
def session(settings: Settings, owner_url: str, agent_id: str, tmp_path: Path) -> Session:
    def make() -> None:
        if not (tmp_path / "runs").exists():
            for name in ("one", "two", "three"):
                run(tmp_path / "runs", name)

    told = (settings, owner_url, agent_id, str(tmp_path / "runs"), tmp_path / "rebuilt")
    return Session(*told, make, dict)


def stopped(proxy: Proxy, sent: bytes, _: Callable[[], None]) -> None:
    proxy.cut_request(sent, proxy.refuse)


def black_holed(proxy: Proxy, sent: bytes, _: Callable[[], None]) -> None:
    proxy.cut_request(sent, proxy.black_hole)


def replying_to_nobody(proxy: Proxy, sent: bytes, _: Callable[[], None]) -> None:
    proxy.cut_reply_to(sent)


def frozen_for_a_while(proxy: Proxy, sent: bytes, freeze: Callable[[], None]) -> None:
    proxy.cut_request(sent, lambda: Thread(target=freeze).start())


Fault = Callable[[Proxy, bytes, Callable[[], None]], None]
#: Each with whether it lasts until somebody ends it.
FAULTS: list[tuple[Fault, bool]] = [
    (stopped, True),
    (black_holed, True),
    (replying_to_nobody, False),
    (frozen_for_a_while, False),
]


@pytest.mark.parametrize("step", ["copy", "verify"])
@pytest.mark.parametrize("store", ["mongo", "postgres", "minio"])
def test_a_store_that_goes_away_in_a_step_changes_nothing_in_the_end(
    stack: Stack, proxied: Proxied, session: Session, store: str, step: str
) -> None:
    def freeze() -> None:
        with frozen(stack, proxied, store):
            time.sleep(SECONDS)

    proxy: Proxy = getattr(proxied, store)
    undisturbed = session.undisturbed(RUN)
    chance = moments(f"outages {store} {step}")
    for fault, lasts in chance.sample(FAULTS, min(AT_ONCE, len(FAULTS))):
        session.begin_anew()
        _done(proxied, session, RUN[: RUN.index(step)])
        before = proxy.cuts
        fault(proxy, SENT[store, step], freeze)
        said = _done(proxied, session, RUN[: RUN.index(step) + 1])
        assert proxy.cuts > before, f"{fault.__name__} never happened"
        assert said or not lasts, f"nobody noticed that it was {fault.__name__}"
        proxy.forward()
        assert _done(proxied, session, RUN) == ""
        assert session.left() == undisturbed, f"seed {SEED}: {fault.__name__}"


def _done(proxied: Proxied, session: Session, names: tuple[str, ...]) -> str:
    """Do steps through the proxies; gives what was said when a store was away."""
    job = Job(session.source, session.agent_id, names, session.folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in proxied.environment.items():
            patch.setenv(name, value)
        try:
            list(steps(job))
        except StoreUnavailable as error:
            return str(error)
    return ""
