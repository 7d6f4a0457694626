"""Everybody may read which environment a store belongs to, and the operator alone says so.

Raw drivers with each one's own credentials; beside each attack, the same call where it is allowed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from minio import Minio
from minio.commonconfig import REPLACE, CopySource, Tags

from apps.stack import Stack
from storage.access.minio import MinioAccess
from storage.access.mongo import MongoAccess
from storage.access.roles import MONGODB_EVALUATOR as EVALUATOR
from storage.mongo.clients import address
from storage.settings import Settings
from tests import counted_attacks
from tests.security.minio_access import Store
from tests.security.minio_access import refusal as minio_refusal
from tests.security.mongo_access import UNAUTHORIZED, Client, Server
from tests.security.mongo_access import refusal as mongo_refusal
from tests.security.postgres_logins import DENIED, Logins, Raw, refusal, rows

pytestmark = pytest.mark.usefixtures("restored_components")

MARKER = {"id": "7b0b2a6e-9c0d-4f6a-8a53-0f6f8f0f6c11", "environment": "dev"}
INSERT = "INSERT INTO installation (id, environment) VALUES (%(id)s, %(environment)s)"
READ = "SELECT environment FROM installation"

#: What nobody but the owner may do.
OWNERS_ONLY = {
    "delete": "DELETE FROM installation",
    "truncate": "TRUNCATE installation",
    "drop": "DROP TABLE installation",
    "alter": "ALTER TABLE installation DISABLE ROW LEVEL SECURITY",
    "another installation": "UPDATE installation SET id = gen_random_uuid()",
    "no trigger": "DROP TRIGGER audited ON installation",
}


@pytest.fixture
def marked(doors: Logins) -> Raw:
    """The operator, whose database is marked."""
    operator = doors.component("operator")
    operator.execute(f"{INSERT} ON CONFLICT DO NOTHING".encode(), MARKER)
    return operator


@pytest.fixture(params=["agent", "evaluator", "frontend"])
def reader(request: pytest.FixtureRequest, doors: Logins) -> Raw:
    """Whoever may read the marker, and no more."""
    if request.param == "agent":
        return doors.agent(f"a{uuid4().hex[:16]}")
    return doors.component(request.param)


@pytest.mark.promise(8, by="PostgreSQL")
class TestPostgres:
    def test_the_operator_alone_renames_and_everybody_reads(self, marked: Raw, reader: Raw) -> None:
        rename = "UPDATE installation SET environment = %s"
        # A frontend's transactions read only unless it says otherwise.
        reader.execute("SET default_transaction_read_only = off")
        assert refusal(reader, rename, ["prod"]) == DENIED
        assert rows(reader, READ) == [("dev",)]
        assert refusal(marked, rename, ["staging"]) == ""
        assert rows(reader, READ) == [("staging",)]
        assert refusal(marked, rename, ["dev"]) == ""

    def test_the_operator_alone_marks(self, marked: Raw, reader: Raw) -> None:
        reader.execute("SET default_transaction_read_only = off")
        assert refusal(reader, INSERT, MARKER) == DENIED
        assert refusal(marked, f"{INSERT} ON CONFLICT DO NOTHING", MARKER) == ""

    def test_there_is_never_a_second_marker(self, marked: Raw) -> None:
        assert refusal(marked, INSERT, MARKER) == "23505"
        forged = "INSERT INTO installation (only_row, id, environment) VALUES (false, %(id)s, 'a')"
        assert refusal(marked, forged, MARKER) == DENIED
        assert rows(marked, READ) == [("dev",)]

    @pytest.mark.parametrize("change", OWNERS_ONLY)
    def test_nobody_takes_the_marker_away(self, marked: Raw, reader: Raw, change: str) -> None:
        reader.execute("SET default_transaction_read_only = off")
        assert refusal(reader, OWNERS_ONLY[change]) == DENIED
        assert refusal(marked, OWNERS_ONLY[change]) == DENIED
        assert rows(marked, READ) == [("dev",)]

    def test_a_renaming_is_in_the_audit_log(self, marked: Raw) -> None:
        marked.execute("UPDATE installation SET environment = 'prod'")
        marked.execute("UPDATE installation SET environment = 'dev'")
        found = rows(
            marked,
            "SELECT who, details FROM audit_log WHERE what = 'environment renamed'"
            " ORDER BY id DESC LIMIT 1",
        )
        assert found == [("agentruns_operator", {"environment": "dev", "before": "prod"})]


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Server]:
    url = stack.environment()["MONGODB_URL"]
    with ExitStack() as opened:
        admin = opened.enter_context(Client(url))
        access = opened.enter_context(closing(MongoAccess(url)))
        opened.callback(admin["agentruns"].drop_collection, "control")
        yield Server(admin, access, address(url), opened)


ID = {"_id": "environment"}
#: On the collection with the marker, or one of the operator's beside it.
MONGO_CALLS: dict[str, Callable[[Any], object]] = {
    "insert": lambda c: c.insert_one({"_id": uuid4().hex}),
    "update": lambda c: c.update_one(ID, {"$set": {"environment": "dev"}}),
    "upsert": lambda c: c.update_one(ID, {"$set": {"environment": "dev"}}, upsert=True),
    "replace": lambda c: c.replace_one(ID, {"environment": "dev"}),
    "find and modify": lambda c: c.find_one_and_update(ID, {"$set": {"environment": "dev"}}),
    "delete": lambda c: c.delete_one({"_id": "nothing"}),
    "create index": lambda c: c.create_index("environment"),
    "cap": lambda c: c.database.command("convertToCapped", c.name, size=4096),
    "drop": lambda c: c.drop(),
    "a user": lambda c: c.database.command("createUser", uuid4().hex, pwd="x", roles=[]),
}


@pytest.mark.promise(7, by="MongoDB")
@pytest.mark.parametrize("who", ["agent", "append-only agent", "evaluator"])
def test_mongodb_lets_everybody_read_the_marker_and_the_operator_alone_write_it(
    server: Server, agent_id: str, who: str
) -> None:
    before = server.admin["agentruns"]["installation"].find_one(ID)
    client = _mongo_client(server, agent_id, who)
    assert before is not None
    assert client["agentruns"]["installation"].find_one(ID) == before
    counted_attacks.allowed("MongoDB")
    for name, call in MONGO_CALLS.items():
        attack = client["agentruns"]["installation"]
        assert mongo_refusal(lambda call=call, attack=attack: call(attack)) == UNAUTHORIZED, name
        control = server.admin["agentruns"]["control"]
        control.insert_one(ID) if not control.find_one(ID) else None
        call(control)
        counted_attacks.allowed("MongoDB")
    assert server.admin["agentruns"]["installation"].find_one(ID) == before
    server.admin["agentruns"].command("dropAllUsersFromDatabase")


def _mongo_client(server: Server, agent_id: str, who: str) -> Client:
    if who == "evaluator":
        server.access.ensure_evaluator("of the evaluator")
        return server.client(EVALUATOR, "of the evaluator", "admin")
    return server.agent(agent_id, append_only=who != "agent")


@pytest.fixture(scope="module")
def store(stack: Stack) -> Iterator[Store]:
    given = {name.lower(): value for name, value in stack.environment().items()}
    settings = Settings.model_validate(given)
    with ExitStack() as opened:
        opened.callback(_forget_control, settings)
        yield Store(settings, MinioAccess(settings), opened)


def _forget_control(settings: Settings) -> None:
    keys = settings.required("minio_access_key"), settings.required("minio_secret_key")
    client = Minio(settings.required("minio_endpoint"), *keys, secure=False, region="us-east-1")
    for item in client.list_objects("agentruns", "control"):
        client.remove_object("agentruns", str(item.object_name))


#: On the object with the marker, or one of the operator's beside it.
MINIO_CALLS: dict[str, Callable[[Minio, str], object]] = {
    "put": lambda c, n: c.put_object("agentruns", n, BytesIO(b"{}"), 2),
    "copy": lambda c, n: c.copy_object(
        "agentruns", n, CopySource("agentruns", n), metadata={"a": "b"}, metadata_directive=REPLACE
    ),
    "tag": lambda c, n: c.set_object_tags("agentruns", n, _tags()),
    "delete": lambda c, n: c.remove_object("agentruns", n),
    "list": lambda c, _: list(c.list_objects("agentruns")),
}


@pytest.mark.promise(8, by="MinIO")
@pytest.mark.parametrize("who", ["agent", "append-only agent", "frontend"])
def test_minio_lets_everybody_get_the_marker_and_the_operator_alone_put_it(
    store: Store, agent_id: str, who: str
) -> None:
    client = _minio_client(store, agent_id, who)
    before = client.get_object("agentruns", "environment.json").read()
    assert json.loads(before)["environment"] == "dev"
    counted_attacks.allowed("MinIO")
    for name, call in MINIO_CALLS.items():
        assert minio_refusal(lambda call=call: call(client, "environment.json")), name
        assert minio_refusal(lambda call=call: call(client, "another.json")), name
        assert minio_refusal(lambda call=call: call(store.operator, "control.json")) == "", name
    assert store.operator.get_object("agentruns", "environment.json").read() == before


def _minio_client(store: Store, agent_id: str, who: str) -> Minio:
    if who == "frontend":
        key = f"f{agent_id}", uuid4().hex
        store.access.ensure_frontend(*key)
        return store.client(*key)
    return store.agent(agent_id, append_only=who != "agent")


def _tags() -> Tags:
    tags = Tags.new_object_tags()
    tags["environment"] = "prod"
    return tags
