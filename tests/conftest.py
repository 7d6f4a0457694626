"""Real servers for every test that asks for them.

`AGENTRUNS_TEST_HOME` names a home whose servers are used and left running, so that a single
test starts at once; without it, the session has servers of its own.
"""

# ruff: noqa: PLC0415 - a test of one part must run even when another part cannot be imported

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import stamina

if TYPE_CHECKING:
    from apps.stack import Stack
    from storage.minio import MinIOAdapter
    from storage.mongo import MongoAdapter
    from storage.postgres import PostgresAdapter
    from storage.settings import Settings
    from storage.stores import Stores
    from storage.writer import RecordWriter

# Before anything is imported: cua-agent reports to its makers then, and litellm fetches its tables.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"

#: Prints at the end what was attacked and who refused it.
pytest_plugins = ["tests.counted_attacks"]

SHARED_HOME = os.environ.get("AGENTRUNS_TEST_HOME")
#: What would make a test look at somebody's real stores.
MISLEADING = ("AGENTRUNS_", "AGENT_ID", "MONGODB_", "POSTGRES_", "MINIO_", "PREFECT_", "PG")
#: Which programs the servers are is the business of whoever runs the tests.
KEPT = {"AGENTRUNS_MONGOD", "AGENTRUNS_POSTGRES_BIN", "AGENTRUNS_MINIO", "AGENTRUNS_GO"}


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the settings or the home of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - KEPT:
            if name.startswith(MISLEADING):
                patch.delenv(name)
        patch.setenv("AGENTRUNS_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def heard_signals() -> Iterator[None]:
    """Signals count as in a terminal, also where the tests run in the background of a shell."""
    with ExitStack() as later:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:
                heard = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
                later.callback(signal.signal, number, signal.signal(number, heard))
        yield


@pytest.fixture(scope="session", autouse=True)
def closed_stores() -> Iterator[None]:
    """What flows share until their process ends is closed before the last words of the session."""
    yield
    if shared := sys.modules.get("storage.stores"):
        for stores in shared._SHARED:
            stores.close()


@pytest.fixture(scope="session", autouse=True)
def ended_deliveries(clean_environment: None) -> Iterator[None]:
    """No delivery that a test began outlives the tests, whatever it still waits for."""
    mark = f"AGENTRUNS_TESTS={uuid4()}"
    name, _, value = mark.partition("=")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        yield
    from tests.own_spool import words_of_delivery

    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if words_of_delivery(process) and mark.encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path that other users may pass through, as a home's parent should."""
    with _short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def short_folders() -> Iterator[Path]:
    """The same for all tests of a file."""
    with _short_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def stack(clean_environment: None) -> Iterator["Stack"]:
    """MongoDB, PostgreSQL and MinIO, running."""
    from apps.stack import Stack

    if SHARED_HOME:
        stack = Stack(Path(SHARED_HOME))
        stack.up(prefect=False)
        yield stack
        return
    with _short_folder() as folder:
        stack = Stack(folder / "home")
        try:
            stack.up(prefect=False)
            yield stack
        finally:
            stack.reset()


@pytest.fixture(scope="module")
def restored_components(stack: "Stack") -> Iterator[None]:
    """Evaluator and frontend are the stack's own again after tests that gave them other keys."""
    yield
    stack.up(prefect=False)


@pytest.fixture
def settings(
    stack: "Stack",
    database_url: str,
    owner_url: str,
    agent_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["Settings"]:
    """Settings of the servers, with a PostgreSQL database of the test's own.

    They are in the environment, too, so that `load_settings` here and in child processes finds
    them. What agents whose id begins with `agent_id` have left behind goes with the test.
    """
    from storage.settings import load_settings

    own = {"POSTGRES_URL": database_url, "POSTGRES_OWNER_URL": owner_url}
    for name, value in (stack.environment() | own).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AGENTRUNS_HOME", str(stack.home))
    for component in ("evaluator", "frontend"):
        file = _env_file(tmp_path / f"{component}.env", stack.environment(component), owner_url)
        monkeypatch.setenv(f"AGENTRUNS_{component.upper()}_ENV_FILE", str(file))
    settings = load_settings()
    yield settings
    _forget_agents(settings, agent_id)


@pytest.fixture
def agent_id() -> str:
    """An agent nobody has heard of."""
    return f"t{uuid4().hex[:16]}"


@pytest.fixture
def postgres(settings: "Settings") -> Iterator["PostgresAdapter"]:
    """PostgreSQL, with a database of the test's own."""
    from storage.postgres import PostgresAdapter

    with closing(PostgresAdapter(settings.required("postgres_url"))) as adapter:
        yield adapter


@pytest.fixture
def mongo(settings: "Settings", agent_id: str) -> Iterator["MongoAdapter"]:
    """MongoDB, as seen by the test's agent."""
    from storage.mongo import MongoAdapter

    with closing(MongoAdapter(agent_id=agent_id, settings=settings)) as adapter:
        yield adapter


@pytest.fixture
def minio(settings: "Settings", postgres: "PostgresAdapter", agent_id: str) -> "MinIOAdapter":
    """MinIO, as seen by the test's agent."""
    from storage.minio import MinIOAdapter

    return MinIOAdapter(agent_id=agent_id, postgres_adapter=postgres, settings=settings)


@pytest.fixture
def stores(settings: "Settings") -> Iterator["Stores"]:
    """All three stores."""
    from storage.stores import Stores

    with closing(Stores(settings)) as stores:
        yield stores


@pytest.fixture
def writer(stores: "Stores") -> "RecordWriter":
    """What writes a batch of records into the three stores."""
    return stores.writer


@pytest.fixture
def owner_url(stack: "Stack", template_database: str) -> Iterator[str]:
    """A PostgreSQL database with our schema, for one test, as its owner reaches it."""
    with _copy(stack, template_database) as url:
        yield url


@pytest.fixture
def database_url(stack: "Stack", owner_url: str) -> str:
    """The same as the operator reaches it."""
    return _in_database(stack.environment()["POSTGRES_URL"], owner_url.rpartition("/")[2])


@pytest.fixture(scope="module")
def module_owner_url(stack: "Stack", template_database: str) -> Iterator[str]:
    """A PostgreSQL database with our schema, for the tests of one module, as its owner."""
    with _copy(stack, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(stack: "Stack", module_owner_url: str) -> str:
    """The same as the operator reaches it."""
    return _in_database(stack.environment()["POSTGRES_URL"], module_owner_url.rpartition("/")[2])


@pytest.fixture(scope="session")
def template_database(stack: "Stack") -> Iterator[str]:
    """A database that has been migrated once, to be copied."""
    from storage.postgres.schema import migrate

    server = stack.environment()["POSTGRES_OWNER_URL"]
    name = f"template_{uuid4().hex[:16]}"
    _execute(server, f'CREATE DATABASE "{name}"')
    migrate(_in_database(server, name))
    yield name
    _drop(server, name)


@contextmanager
def _copy(stack: "Stack", template: str) -> Iterator[str]:
    server = stack.environment()["POSTGRES_OWNER_URL"]
    name = f"test_{uuid4().hex[:16]}"
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = _in_database(server, name)
    _execute(url, "SELECT let_components_in()")
    yield url
    _forget_keys(url)
    _drop(server, name)


@contextmanager
def _short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ar-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _execute(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _drop(server: str, name: str) -> None:
    import psycopg

    # Only who has their rights may end the connections that the components still have.
    components = "agentruns_operator, agentruns_evaluator, agentruns_frontend"
    _execute(server, f"GRANT {components} TO CURRENT_USER")
    try:
        # A worker of autovacuum may be in it for a moment, and only a superuser may end that one.
        for attempt in stamina.retry_context(on=psycopg.errors.InsufficientPrivilege, attempts=20):
            with attempt:
                _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        _execute(server, f"REVOKE {components} FROM CURRENT_USER")


def _forget_keys(url: str) -> None:
    """Drop the roles of the agents that a test let in; they are the cluster's."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('agent_keys')").fetchone() == (None,):
            return
        for (key,) in connection.execute("SELECT key_id FROM agent_keys").fetchall():
            connection.execute(b"SELECT revoke_agent_key($$%s$$)" % key.encode())
            connection.execute(b'DROP ROLE IF EXISTS "%s"' % key.encode())


def _in_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def _shut_out(settings: "Settings", prefix: str) -> None:
    """Take the keys of the agents back that the test, or a delivery of its, let in."""
    from storage.access import Provisioning
    from storage.access.credentials import credentials_file

    with Provisioning(settings) as access:
        for agent in access.agents(1000):
            access.disable(agent.agent_id)
    for file in credentials_file(prefix).parent.glob(f"{prefix}*.env"):
        file.unlink()


def _env_file(path: Path, environment: dict[str, str], database: str) -> Path:
    """An env file of a component that leads to the test's own database."""
    own = _in_database(environment["POSTGRES_URL"], database.rpartition("/")[2])
    values = environment | {"POSTGRES_URL": own}
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return path


def _forget_agents(settings: "Settings", prefix: str) -> None:
    from minio import Minio
    from pymongo import MongoClient

    _shut_out(settings, prefix)
    with MongoClient[dict[str, Any]](settings.required("mongodb_url")) as mongo:
        for name in mongo.list_database_names():
            if name.startswith(f"agent_{prefix}"):
                mongo.drop_database(name)
    minio = Minio(
        settings.required("minio_endpoint"),
        access_key=settings.required("minio_access_key"),
        secret_key=settings.required("minio_secret_key"),
        secure=False,
        region=settings.minio_region,
    )
    for bucket in minio.list_buckets():
        for found in minio.list_objects(bucket.name, prefix=prefix, recursive=True):
            minio.remove_object(bucket.name, found.object_name or "")
