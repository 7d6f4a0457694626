"""The local servers answer this machine only, and nobody without a password."""

import socket
from dataclasses import asdict
from urllib.parse import urlsplit

import psycopg
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from apps.stack import Stack
from apps.stack.credentials import Credentials
from tests import counted_attacks

ADDRESSES = ["MONGODB_URL", "POSTGRES_URL", "MINIO_ENDPOINT"]

pytestmark = pytest.mark.promise(15, by="us")


def port_of(stack: Stack, name: str) -> int:
    address = stack.environment()[name]
    return urlsplit(address if "://" in address else f"//{address}").port or 0


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_server_listens_at_one_address_of_this_machine_only(stack: Stack, name: str) -> None:
    port = port_of(stack, name)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        counted_attacks.allowed("us")
    # What listens everywhere would answer at every other address of this machine as well.
    others = {"127.0.0.2", *socket.gethostbyname_ex(socket.gethostname())[2]} - {"127.0.0.1"}
    for other in others:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other, port), timeout=5)
        counted_attacks.refused("us")


@pytest.mark.promise(15, by="us", control=True)
def test_what_listens_everywhere_would_be_found() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - what must not be
        socket.create_connection(("127.0.0.2", server.getsockname()[1]), timeout=5).close()


@pytest.mark.parametrize("password", ["", "postgres", "agentruns", "password"])
@pytest.mark.parametrize("user", ["postgres", "agentruns", "agentruns_operator"])
def test_postgresql_lets_nobody_in_without_the_password(
    stack: Stack, user: str, password: str
) -> None:
    port = port_of(stack, "POSTGRES_URL")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host="127.0.0.1", port=port, user=user, password=password, dbname="agentruns"
        )
    counted_attacks.refused("PostgreSQL")
    with psycopg.connect(stack.environment()["POSTGRES_URL"]):
        counted_attacks.allowed("PostgreSQL")


def test_mongodb_lists_nothing_without_the_password(stack: Stack) -> None:
    with MongoClient[dict[str, object]]("127.0.0.1", port_of(stack, "MONGODB_URL")) as nobody:
        with pytest.raises(OperationFailure):
            nobody.list_database_names()
        counted_attacks.refused("MongoDB")
    with MongoClient[dict[str, object]](stack.environment()["MONGODB_URL"]) as operator:
        assert operator.list_database_names()
        counted_attacks.allowed("MongoDB")


def test_no_two_homes_share_a_password_and_none_is_short() -> None:
    one, other = (
        [str(value) for name, value in asdict(Credentials()).items() if "password" in name]
        for _ in range(2)
    )
    assert len(one) > 3
    assert len({*one, *other}) == len(one) + len(other)
    assert min(len(password) for password in one) >= 20
