"""MongoDB itself keeps everybody where they belong: pymongo, and each one's own credentials.

A call counts as refused only when the server knew it and said "not authorized" (13), and each is
made on one's own data as well, where it works: a slip in a call cannot pass for a refusal.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import OperationFailure

from agentruns.models.values import AGENT_ID_PATTERN
from apps.stack import Stack
from storage.access.keys import new_key
from storage.access.mongo import MongoAccess
from storage.access.roles import MONGODB_EVALUATOR as EVALUATOR
from storage.mongo.clients import address
from tests import counted_attacks
from tests.security.mongo_access import (
    LOGS,
    MEMORIES,
    UNAUTHORIZED,
    WRONG_PASSWORD,
    Client,
    Server,
    refusal,
)

pytestmark = [
    pytest.mark.usefixtures("restored_components"),
    pytest.mark.promise(1, by="MongoDB"),
]

Call = Callable[[Client, str], object]
#: From a database into another.
Crossing = Callable[[Client, str, str], object]

PASSWORD = "of the evaluator"
VALID_IDS = st.from_regex(AGENT_ID_PATTERN, fullmatch=True)
FEW = hypothesis_settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Server]:
    """MongoDB with what is needed to let somebody in."""
    url = stack.environment()["MONGODB_URL"]
    with ExitStack() as opened:
        admin = opened.enter_context(Client(url))
        access = opened.enter_context(closing(MongoAccess(url)))
        yield Server(admin, access, address(url), opened)


CALLS: dict[str, Call] = {
    "find": lambda c, d: c[d][LOGS].find_one(),
    "find with $ne": lambda c, d: list(c[d][LOGS].find({"agent_id": {"$ne": "nobody"}})),
    "find memories": lambda c, d: c[d][MEMORIES].find_one(),
    "find by a guessed id": lambda c, d: c[d][LOGS].find_one({"_id": "first"}),
    "find what is not there": lambda c, d: c[d]["nothing"].find_one(),
    "count": lambda c, d: c[d][LOGS].count_documents({}),
    "estimate": lambda c, d: c[d][LOGS].estimated_document_count(),
    "distinct": lambda c, d: c[d][LOGS].distinct("secret"),
    "aggregate": lambda c, d: list(c[d][LOGS].aggregate([{"$match": {}}])),
    "explain": lambda c, d: c[d].command("explain", {"find": LOGS}),
    "insert": lambda c, d: c[d][LOGS].insert_one({}),
    "insert elsewhere": lambda c, d: c[d]["other"].insert_one({}),
    "insert many": lambda c, d: c[d][LOGS].bulk_write([InsertOne({})]),
    "update": lambda c, d: c[d][LOGS].update_many({}, {"$set": {"secret": "t"}}),
    "upsert": lambda c, d: c[d][LOGS].update_one({"_id": "n"}, {"$set": {"a": 1}}, upsert=True),
    "replace": lambda c, d: c[d][LOGS].replace_one({}, {}),
    "find and modify": lambda c, d: c[d][LOGS].find_one_and_update({}, {"$set": {"a": 1}}),
    "delete": lambda c, d: c[d][LOGS].delete_many({"_id": "n"}),
    "create": lambda c, d: c[d].create_collection("made"),
    "drop": lambda c, d: c[d]["made"].drop(),
    "create index": lambda c, d: c[d][LOGS].create_index("made"),
    "drop index": lambda c, d: c[d][LOGS].drop_index("created_at"),
    "list collections": lambda c, d: c[d].list_collection_names(),
    "list indexes": lambda c, d: list(c[d][LOGS].list_indexes()),
    "sizes": lambda c, d: c[d].command("collStats", LOGS),
    "sizes of the database": lambda c, d: c[d].command("dbStats"),
    "hash": lambda c, d: c[d].command("dbHash"),
    "cap": lambda c, d: c[d].command("convertToCapped", LOGS, size=4096),
    "rename": lambda c, d: c.admin.command("renameCollection", f"{d}.{LOGS}", to=f"{d}.moved"),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_agent_does_in_its_own_database_what_it_may_not_in_another_s(
    server: Server, agent_id: str, call: str
) -> None:
    client = server.agent(agent_id)
    for other in (f"{agent_id}x", f"{agent_id}-", f"{agent_id}_1"):
        server.agent(other)
        assert refusal(lambda name=other: CALLS[call](client, f"agent_{name}")) == UNAUTHORIZED
    for name in ("admin", "local", "config", "test", "agent_"):
        assert refusal(lambda name=name: CALLS[call](client, name)) == UNAUTHORIZED
    CALLS[call](client, f"agent_{agent_id}")
    counted_attacks.allowed("MongoDB")
    for other in (f"{agent_id}x", f"{agent_id}-", f"{agent_id}_1"):
        [document] = server.admin[f"agent_{other}"][LOGS].find()
        assert document == {"_id": "first", "agent_id": other, "secret": "s"}


def into(stage: dict[str, Any]) -> Crossing:
    return lambda c, d, to: list(
        c[d][LOGS].aggregate([{next(iter(stage)): {"db": to, **stage[next(iter(stage))]}}])
    )


CROSSINGS: dict[str, Crossing] = {
    "$out": into({"$out": {"coll": MEMORIES}}),
    "$out into something new": into({"$out": {"coll": "fresh"}}),
    "$merge": lambda c, d, to: list(
        c[d][LOGS].aggregate([{"$merge": {"into": {"db": to, "coll": MEMORIES}}}])
    ),
    "rename": lambda c, d, to: c.admin.command(
        "renameCollection", f"{d}.{LOGS}", to=f"{to}.stolen"
    ),
}


@pytest.mark.promise(7, by="MongoDB")
@pytest.mark.parametrize("crossing", CROSSINGS)
def test_nothing_is_carried_from_one_s_own_database_into_another_s(
    server: Server, agent_id: str, crossing: str
) -> None:
    client, other = server.agent(agent_id), f"{agent_id}x"
    server.agent(other)
    own, theirs = f"agent_{agent_id}", f"agent_{other}"
    assert refusal(lambda: CROSSINGS[crossing](client, own, theirs)) == UNAUTHORIZED
    assert refusal(lambda: CROSSINGS[crossing](client, theirs, own)) == UNAUTHORIZED
    CROSSINGS[crossing](client, own, own)
    counted_attacks.allowed("MongoDB")


@pytest.mark.promise(7, by="MongoDB")
@pytest.mark.parametrize("stage", ["$lookup", "$graphLookup", "$unionWith"])
def test_no_stage_of_an_aggregation_reads_another_s_database(
    server: Server, agent_id: str, stage: str
) -> None:
    def joined(source: Any) -> list[dict[str, Any]]:
        plain = {"from": source, "localField": "x", "foreignField": "y", "as": "found"}
        stages = {
            "$lookup": plain,
            "$graphLookup": {
                "from": source,
                "startWith": "$_id",
                "as": "found",
                "connectFromField": "_id",
                "connectToField": "_id",
            },
            "$unionWith": {"coll": source},
        }
        return list(client[f"agent_{agent_id}"][LOGS].aggregate([{stage: stages[stage]}]))

    client = server.agent(agent_id)
    server.agent(f"{agent_id}x")
    theirs = f"agent_{agent_id}x"
    # The server has no words for another database here: 9, 14 and the like say "malformed".
    assert refusal(lambda: joined({"db": theirs, "coll": LOGS}))
    # A dot does not lead there either, it is part of a collection's name.
    assert "'first'" not in str([found.get("found") for found in joined(f"{theirs}.{LOGS}")])
    assert "first" in str(joined(MEMORIES))


JAVASCRIPT: dict[str, Call] = {
    "$where": lambda c, d: list(c[d][LOGS].find({"$where": "true"})),
    "$function": lambda c, d: list(
        c[d][LOGS].find(
            {"$expr": {"$function": {"body": "function() {}", "args": [], "lang": "js"}}}
        )
    ),
    "mapReduce": lambda c, d: c[d].command(
        "mapReduce", LOGS, map="function() {}", reduce="function() {}", out={"inline": 1}
    ),
}


@pytest.mark.promise(7, by="MongoDB")
@pytest.mark.parametrize("script", JAVASCRIPT)
def test_no_javascript_runs_for_anybody(server: Server, agent_id: str, script: str) -> None:
    client = server.agent(agent_id)
    for each in (client, server.admin):
        with pytest.raises(OperationFailure, match=r"(?i)javascript|no globalScriptEngine"):
            JAVASCRIPT[script](each, f"agent_{agent_id}")
    assert list(client[f"agent_{agent_id}"][LOGS].find({"$expr": {"$eq": ["$secret", "s"]}}))


#: Done to the whole server, or to users; the second is the agent's own name.
POWERS: dict[str, Callable[[Client, str, str], object]] = {
    "all operations": lambda c, _, __: c.admin.command("currentOp", **{"$all": True}),
    "all operations by a stage": lambda c, _, __: list(
        c.admin.aggregate([{"$currentOp": {"allUsers": True}}])
    ),
    "ending an operation": lambda c, _, __: c.admin.command("killOp", op=1),
    "ending all sessions": lambda c, _, __: c.admin.command("killAllSessions", []),
    "all sessions": lambda c, _, __: list(
        c.admin.aggregate([{"$listLocalSessions": {"allUsers": True}}])
    ),
    "a user": lambda c, d, _: c[d].command("createUser", "u", pwd="p", roles=["root"]),
    "a role": lambda c, d, _: c[d].command("createRole", "r", privileges=[], roles=[]),
    "rights for itself": lambda c, d, me: c[d].command("grantRolesToUser", me, roles=["dbOwner"]),
    "another password": lambda c, d, me: c[d].command("updateUser", me, pwd="p"),
    "its own end": lambda c, d, me: c[d].command("dropUser", me),
    "users": lambda c, d, _: c[d].command("usersInfo", 1),
    "everybody": lambda c, _, __: c.admin.command("usersInfo", {"forAllDBs": True}),
    "passwords": lambda c, _, __: c.admin["system.users"].find_one(),
    "roles": lambda c, d, _: c[d].command("rolesInfo", 1),
    "the end of its database": lambda c, d, _: c.drop_database(d),
    "a profile": lambda c, d, _: c[d].command("profile", 2),
    "parameters": lambda c, _, __: c.admin.command("getParameter", "*"),
    "other parameters": lambda c, _, __: c.admin.command("setParameter", 1, logLevel=5),
    "the command line": lambda c, _, __: c.admin.command("getCmdLineOpts"),
    "the log": lambda c, _, __: c.admin.command("getLog", "global"),
    "a new log": lambda c, _, __: c.admin.command("logRotate"),
    "the state": lambda c, _, __: c.admin.command("serverStatus"),
    "the machine": lambda c, _, __: c.admin.command("hostInfo"),
    "a lock": lambda c, _, __: c.admin.command("fsync", lock=True),
    "shutting down": lambda c, _, __: c.admin.command("shutdown"),
    "what started": lambda c, _, __: c.local["startup_log"].find_one(),
    "a watch on everything": lambda c, _, __: c.watch(),
}


@pytest.mark.promise(2, by="MongoDB")
@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("kind", ["agent", "append-only", "evaluator"])
def test_nobody_but_the_operator_has_power_over_the_server(
    server: Server, agent_id: str, kind: str, power: str
) -> None:
    key = server.granted(agent_id, append_only=kind == "append-only")
    server.access.ensure_evaluator(PASSWORD)
    client, name = server.connected(key), key.key_id
    if kind == "evaluator":
        client, name = server.client(EVALUATOR, PASSWORD, "admin"), EVALUATOR
    home = "admin" if kind == "evaluator" else f"agent_{agent_id}"
    assert refusal(lambda: POWERS[power](client, home, name)) == UNAUTHORIZED
    assert client[f"agent_{agent_id}"][LOGS].find_one() is not None


@pytest.mark.promise(2, by="MongoDB", control=True)
@pytest.mark.parametrize(
    "power", ["all operations", "users", "passwords", "parameters", "the log", "the state"]
)
def test_the_operator_has_it(server: Server, agent_id: str, power: str) -> None:
    server.granted(agent_id)
    assert POWERS[power](server.admin, f"agent_{agent_id}", "")


def test_an_agent_sees_no_agent_s_database_and_no_user_but_its_own(
    server: Server, agent_id: str
) -> None:
    key = server.granted(agent_id)
    server.agent(f"{agent_id}x")
    client = server.connected(key)
    # Beside its own, the one that says which environment it is.
    assert client.list_database_names() == [f"agent_{agent_id}", "agentruns"]
    assert {f"agent_{agent_id}", f"agent_{agent_id}x"} <= set(server.admin.list_database_names())
    assert client[f"agent_{agent_id}"].command("usersInfo", key.key_id)["users"]


#: What would make what was logged different, or gone.
CHANGES: dict[str, Call] = {
    "update": CALLS["update"],
    "upsert": CALLS["upsert"],
    "replace": CALLS["replace"],
    "replace in bulk": lambda c, d: c[d][LOGS].bulk_write([ReplaceOne({"_id": "first"}, {})]),
    "find and modify": CALLS["find and modify"],
    "find and delete": lambda c, d: c[d][LOGS].find_one_and_delete({}),
    "delete": lambda c, d: c[d][LOGS].delete_many({}),
    "drop": lambda c, d: c[d][LOGS].drop(),
    "rename": CALLS["rename"],
    "rename over it": lambda c, d: c.admin.command(
        "renameCollection", f"{d}.{MEMORIES}", to=f"{d}.{LOGS}", dropTarget=True
    ),
    "$out": lambda c, d: list(c[d][MEMORIES].aggregate([{"$out": LOGS}])),
    "$merge": lambda c, d: list(c[d][MEMORIES].aggregate([{"$merge": {"into": LOGS}}])),
    "an index that forgets": lambda c, d: c[d][LOGS].create_index("t", expireAfterSeconds=1),
    "drop index": CALLS["drop index"],
    "cap": CALLS["cap"],
    "other collections": CALLS["insert elsewhere"],
}


@pytest.mark.promise(7, by="MongoDB")
@pytest.mark.parametrize("change", CHANGES)
def test_an_append_only_agent_cannot_change_what_it_logged(
    server: Server, agent_id: str, change: str
) -> None:
    client, name = server.agent(agent_id, append_only=True), f"agent_{agent_id}"
    before = list(server.admin[name][LOGS].find())
    assert refusal(lambda: CHANGES[change](client, name)) == UNAUTHORIZED
    assert list(server.admin[name][LOGS].find()) == before
    full = f"{agent_id}f"
    CHANGES[change](server.agent(full), f"agent_{full}")
    counted_attacks.allowed("MongoDB")


@pytest.mark.promise(7, by="MongoDB", control=True)
def test_an_append_only_agent_logs_finds_and_changes_its_memories(
    server: Server, agent_id: str
) -> None:
    database = server.agent(agent_id, append_only=True)[f"agent_{agent_id}"]
    database[LOGS].insert_many([{"_id": "second"}, {"_id": "third"}])
    assert database[LOGS].count_documents({}) == 3
    with pytest.raises(OperationFailure) as refused:
        database[LOGS].insert_one({"_id": "first", "secret": "another"})
    assert refused.value.code == 11000
    database[MEMORIES].update_one({"_id": "first"}, {"$set": {"secret": "t"}})
    database[MEMORIES].delete_one({"_id": "first"})
    assert database[MEMORIES].count_documents({}) == 0


@pytest.mark.promise(8, by="MongoDB", control=True)
def test_the_evaluator_reads_every_agent_also_one_that_comes_later(
    server: Server, agent_id: str
) -> None:
    server.access.ensure_evaluator(PASSWORD)
    evaluator = server.client(EVALUATOR, PASSWORD, "admin")
    for agent in (agent_id, f"{agent_id}x"):
        server.agent(agent)
        assert f"agent_{agent}" in evaluator.list_database_names()
        assert evaluator[f"agent_{agent}"][LOGS].find_one({"agent_id": agent})
        assert evaluator[f"agent_{agent}"][MEMORIES].find_one({"agent_id": agent})


WRITES = {
    "insert", "insert elsewhere", "insert many", "update", "upsert", "replace", "find and modify",
    "delete", "create", "drop", "create index", "drop index", "cap", "rename",
}  # fmt: skip


@pytest.mark.promise(8, by="MongoDB")
@pytest.mark.parametrize("call", sorted(WRITES | set(CROSSINGS)))
def test_the_evaluator_writes_nothing(server: Server, agent_id: str, call: str) -> None:
    server.access.ensure_evaluator(PASSWORD)
    evaluator = server.client(EVALUATOR, PASSWORD, "admin")
    agent, name = server.agent(agent_id), f"agent_{agent_id}"
    if call in CROSSINGS and call not in WRITES:
        assert refusal(lambda: CROSSINGS[call](evaluator, name, name)) == UNAUTHORIZED
        CROSSINGS[call](agent, name, name)
        counted_attacks.allowed("MongoDB")
    else:
        assert refusal(lambda: CALLS[call](evaluator, name)) == UNAUTHORIZED
        CALLS[call](agent, name)
        counted_attacks.allowed("MongoDB")


@pytest.mark.promise(8, by="MongoDB")
def test_the_evaluator_reads_nothing_else(server: Server, agent_id: str) -> None:
    server.access.ensure_evaluator(PASSWORD)
    evaluator = server.client(EVALUATOR, PASSWORD, "admin")
    server.agent(agent_id)[f"agent_{agent_id}"]["notes"].insert_one({})
    assert refusal(evaluator[f"agent_{agent_id}"]["notes"].find_one) == UNAUTHORIZED


@pytest.mark.promise(8, by="MongoDB")
def test_who_has_no_user_gets_nothing(server: Server, agent_id: str) -> None:
    key = server.granted(agent_id)
    with Client(f"mongodb://{server.address}") as frontend:
        frontend.admin.command("ping")
        assert refusal(frontend[f"agent_{agent_id}"][LOGS].find_one) == UNAUTHORIZED
    for password, home in (
        ("wrong", f"agent_{agent_id}"),
        (key.secret.get_secret_value(), "admin"),
    ):
        stranger = server.client(key.key_id, password, home)
        assert refusal(lambda c=stranger: c[f"agent_{agent_id}"][LOGS].find_one()) == WRONG_PASSWORD


#: For each of 3,000 documents, the others that are smaller: half a minute's work.
SLOW = [
    {
        "$lookup": {
            "from": LOGS,
            "let": {"n": "$n"},
            "pipeline": [{"$match": {"$expr": {"$lt": ["$n", "$$n"]}}}, {"$count": "n"}],
            "as": "smaller",
        }
    },
    {"$sort": {"smaller": 1}},
]


def test_a_revoked_key_gets_nothing_more_on_any_connection(server: Server, agent_id: str) -> None:
    key = server.granted(agent_id)
    neighbour = server.agent(agent_id.replace("t", "u", 1))
    second = new_key(agent_id)
    server.access.grant(second)
    database = server.connected(key)[f"agent_{agent_id}"]
    database[LOGS].insert_many([{"n": n} for n in range(3000)])
    cursor = database[LOGS].find(batch_size=10)
    next(cursor)
    ended: list[int | None] = []
    work = Thread(
        target=lambda: ended.append(refusal(lambda: list(database[LOGS].aggregate(SLOW))))
    )
    work.start()
    time.sleep(0.5)
    assert work.is_alive()

    start = time.monotonic()
    server.access.revoke(agent_id, key.key_id)
    work.join(10)
    assert time.monotonic() - start < 3
    assert len(ended) == 1
    assert refusal(database[LOGS].find_one) in {UNAUTHORIZED, WRONG_PASSWORD}
    assert refusal(lambda: database[LOGS].insert_one({})) in {UNAUTHORIZED, WRONG_PASSWORD}
    assert refusal(lambda: list(cursor)) in {UNAUTHORIZED, WRONG_PASSWORD}
    again = server.connected(key)
    assert refusal(again[f"agent_{agent_id}"][LOGS].find_one) == WRONG_PASSWORD

    server.access.revoke(agent_id, key.key_id)  # repeatable
    assert server.connected(second)[f"agent_{agent_id}"][LOGS].find_one()
    assert neighbour.list_database_names()
    assert server.access.keys(agent_id) == [second.key_id]


def test_a_repeated_grant_changes_what_a_key_may(server: Server, agent_id: str) -> None:
    key = server.granted(agent_id, append_only=True)
    logs = server.connected(key)[f"agent_{agent_id}"][LOGS]
    assert refusal(lambda: logs.delete_many({})) == UNAUTHORIZED
    server.access.grant(key)
    assert logs.delete_many({}).deleted_count == 1
    server.access.grant(key, append_only=True)
    assert refusal(lambda: logs.delete_many({})) == UNAUTHORIZED


@pytest.mark.promise(14, by="us")
def test_no_secret_of_a_key_is_in_its_words_or_in_the_server_s_log(
    server: Server, stack: Stack, agent_id: str
) -> None:
    key = server.granted(agent_id)
    server.connected(key).admin.command("ping")
    secret = key.secret.get_secret_value()
    assert secret not in repr(key) + str(key) + repr(key.model_dump())
    logs = [file for file in stack.home.rglob("*.log") if "mongo" in file.name]
    text = "".join(file.read_text(errors="replace") for file in logs)
    assert key.key_id in text
    assert secret not in text


@FEW
@given(first=VALID_IDS, second=VALID_IDS)
def test_of_any_two_agents_neither_reads_or_writes_the_other_s(
    server: Server, first: str, second: str
) -> None:
    if first == second:
        second = f"{first[:56]}x" if not first.endswith("x") else f"{first[:56]}y"
    with ExitStack() as opened:
        pair = server._replace(opened=opened)
        clients = {name: pair.agent(name) for name in (first, second)}
        for own, other in ((first, second), (second, first)):
            assert clients[own][f"agent_{own}"][LOGS].find_one({"agent_id": own})
            theirs = clients[own][f"agent_{other}"][LOGS]
            assert refusal(theirs.find_one) == UNAUTHORIZED
            assert refusal(lambda logs=theirs: logs.insert_one({})) == UNAUTHORIZED


@pytest.mark.promise(6, by="us")
@given(st.text() | st.sampled_from(["a" * 58, "A", "a.b", "a/b", "a$", "", "..", "a\n", "-a"]))
def test_there_is_no_key_for_what_no_agent_can_be_called(name: str) -> None:
    if re.fullmatch(AGENT_ID_PATTERN, name):
        assert new_key(name).agent_id == name
    else:
        with pytest.raises(ValueError, match="agent id"):
            new_key(name)
