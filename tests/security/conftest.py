"""Raw logins to PostgreSQL, and two agents with rows in every table."""

import secrets
from collections.abc import Iterator

import pytest

from apps.stack import Stack
from apps.stack.servers.postgres import PostgresServer
from tests.security.postgres_logins import Logins, Raw, Whose, logins


@pytest.fixture
def doors(stack: Stack, module_database_url: str) -> Iterator[Logins]:
    site = stack._known_site()
    assert site
    with logins(module_database_url, PostgresServer(site).passwords) as opened:
        yield opened


@pytest.fixture
def mine(doors: Logins) -> Whose:
    return doors.rows_of(f"a{secrets.token_hex(8)}")


@pytest.fixture
def theirs(doors: Logins) -> Whose:
    return doors.rows_of(f"b{secrets.token_hex(8)}")


@pytest.fixture
def agent(doors: Logins, mine: Whose) -> Raw:
    return doors.agent(mine.agent_id)
