"""The first user of a fresh MongoDB, and a short question to a running one."""

from typing import Any

import pymongo
from pymongo.errors import OperationFailure

from storage.errors import AccessDenied
from storage.mongo.clients import address
from storage.mongo.errors import translated

_SECONDS = 2
_UNAUTHORIZED, _WRONG_PASSWORD = 13, 18


def ensure_administrator(host: str, port: int, user: str, password: str) -> None:
    """Make a server accept this administrator; only one that has no user yet can be taught.

    Raises:
        StoreUnavailable: when it does not answer (yet).
        AccessDenied: when it has other users.
    """
    with translated(f"{host}:{port}"):
        if not _accepts(host, port, user, password):
            _create(host, port, user, password)


def server_version(url: str, seconds: float) -> str:
    """The version of a server that accepts this URL's user.

    Raises:
        StorageError: when it does not answer in time, or refuses us.
    """
    with translated(address(url)), pymongo.timeout(seconds), _client(host=url) as client:
        client.admin.command("ping")
        client.admin.command("listDatabases", nameOnly=True)
        return str(client.server_info()["version"])


def _accepts(host: str, port: int, user: str, password: str) -> bool:
    try:
        with _client(host=host, port=port, username=user, password=password) as client:
            client.admin.command("ping")
    except OperationFailure as error:
        if error.code != _WRONG_PASSWORD:
            raise
        return False
    return True


def _create(host: str, port: int, user: str, password: str) -> None:
    # From this machine, a server without users lets anybody create the first one.
    with _client(host=host, port=port) as client:
        try:
            client.admin.command("createUser", user, pwd=password, roles=["root"])
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            raise AccessDenied(
                f"MongoDB at {host}:{port} has other users and does not know '{user}'; "
                "bring back the credentials it was made with, or delete its data."
            ) from None


def _client(**options: Any) -> pymongo.MongoClient[dict[str, Any]]:
    seconds = _SECONDS * 1000
    return pymongo.MongoClient(
        directConnection=True,
        serverSelectionTimeoutMS=seconds,
        connectTimeoutMS=seconds,
        socketTimeoutMS=seconds,
        **options,
    )
