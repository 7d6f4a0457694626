"""Stores that can be made to fail without harming anybody else's tests."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from storage.settings import Settings
from tests.faults.proxy import Proxy


@dataclass(frozen=True)
class Proxied:
    """The three stores behind proxies, and settings that lead there."""

    settings: Settings
    mongo: Proxy
    postgres: Proxy
    minio: Proxy


@pytest.fixture
def proxied(settings: Settings) -> Iterator[Proxied]:
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
        yield Proxied(changed, mongo, postgres, minio)


def _through(url: str, proxy: Proxy) -> SecretStr:
    return SecretStr(url.replace(f":{urlsplit(url).port}", f":{proxy.port}"))
