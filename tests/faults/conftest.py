"""Stores that can be made to fail without harming anybody else's tests."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from agentruns.spool import Spool
from storage.settings import Settings
from tests.faults import killing
from tests.faults.proxy import Proxy
from tests.faults.recording_trials import SEED, report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was counted, a line a promise."""
    if lines := report():
        terminalreporter.section(f"promises kept while recording (seed {SEED})")
        terminalreporter.write_line("\n".join(lines))
    if kills := killing.report():
        terminalreporter.section(f"kills of migrations (seed {SEED})")
        terminalreporter.write_line("\n".join(kills))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool").prepare()


@dataclass(frozen=True)
class Proxied:
    """The three stores behind proxies, and settings that lead there."""

    settings: Settings
    direct: Settings
    """What leads past the proxies."""
    mongo: Proxy
    postgres: Proxy
    minio: Proxy

    @property
    def environment(self) -> dict[str, str]:
        """What leads a child process through the proxies."""
        names = ("mongodb_url", "postgres_url", "minio_endpoint")
        return {name.upper(): self.settings.required(name) for name in names}


@pytest.fixture
def proxied(settings: Settings) -> Iterator[Proxied]:
    with behind_proxies(settings) as proxied:
        yield proxied


@contextmanager
def behind_proxies(settings: Settings) -> Iterator[Proxied]:
    """Put a proxy before each of the stores."""
    urls = [settings.required("mongodb_url"), settings.required("postgres_url")]
    ports = [urlsplit(url).port or 0 for url in urls]
    ports.append(int(settings.required("minio_endpoint").rpartition(":")[2]))
    with ExitStack() as stack:
        mongo, postgres, minio = (stack.enter_context(Proxy(port)) for port in ports)
        changed = settings.model_copy(
            update={
                "mongodb_url": _through(urls[0], mongo),
                "postgres_url": _through(urls[1], postgres),
                "minio_endpoint": f"127.0.0.1:{minio.port}",
            }
        )
        yield Proxied(changed, settings, mongo, postgres, minio)


def _through(url: str, proxy: Proxy) -> SecretStr:
    return SecretStr(url.replace(f":{urlsplit(url).port}", f":{proxy.port}"))
