"""A key's names and secret, and the rights that go with it."""

import json
import re

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from pymongo.uri_parser import parse_uri

from storage.access.credentials import environment_of
from storage.access.keys import AgentKey, checked_key_id, new_key
from storage.access.matrix import rights
from storage.settings import settings_from

HOSTILE = [
    "",
    "key_",
    "key_0123",
    "KEY_0123456789abcdef",
    "key_0123456789abcdef\n",
    "root",
    "key_*",
]


def test_two_keys_of_an_agent_have_nothing_in_common_but_the_agent() -> None:
    first, second = new_key("browser-1"), new_key("browser-1")
    assert first.agent_id == second.agent_id
    assert first.key_id != second.key_id
    assert first.secret != second.secret
    assert first.minio_access_key != second.minio_access_key


def test_the_name_in_minio_follows_from_the_secret_and_is_no_part_of_it() -> None:
    key = new_key("browser-1")
    same = AgentKey(key_id="key_0123456789abcdef", agent_id="other", secret=key.secret)
    assert same.minio_access_key == key.minio_access_key
    assert key.minio_access_key not in key.secret.get_secret_value()
    assert re.fullmatch("[0-9a-f]{20}", key.minio_access_key)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_else_is_the_id_of_a_key(name: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a key"):
        checked_key_id(name)
    with pytest.raises(ValueError, match="is not the id of a key"):
        AgentKey(key_id=name, agent_id="browser-1", secret=SecretStr("s" * 40))


def test_a_refused_key_does_not_tell_its_secret() -> None:
    with pytest.raises(ValueError, match="agent id") as refused:
        AgentKey(key_id="key_0123456789abcdef", agent_id="A", secret=SecretStr("very-secret"))
    assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize("kind", ["minio-agent", "minio-agent-append-only"])
def test_an_agent_s_policy_allows_only_what_lies_below_its_own_name_and_a_slash(kind: str) -> None:
    statements = rights(kind, "browser-1")["Statement"]
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    resources = {name for each in allowed for name in each["Resource"]}
    assert {name for name in resources if "browser-1" in name} == {
        "arn:aws:s3:::screenshots/browser-1/*",
        "arn:aws:s3:::binaries/browser-1/*",
    }
    others = [each for each in allowed if "browser-1" not in json.dumps(each)]
    assert [each["Action"] for each in others] == [["s3:GetObject"], ["s3:HeadBucket"]]
    assert others[0]["Resource"] == ["arn:aws:s3:::agentruns/environment.json"]


def test_rights_are_made_for_agents_only() -> None:
    for name in ("*", "a/b", "", "${aws:username}", '"'):
        with pytest.raises(ValueError, match="agent id"):
            rights("minio-agent", name)


def test_the_options_of_an_address_are_the_agents_as_well() -> None:
    key = new_key("browser-1")
    given = {
        "POSTGRES_URL": "postgresql://us:pw@db:5432/runs?options=-c%20geqo%3Doff&user=other",
        "MONGODB_URL": "mongodb://us:pw@m:27017/admin?replicaSet=rs&authSource=admin",
        "MINIO_ENDPOINT": "m:9000",
    }
    told = environment_of(key, settings_from(given))
    address = conninfo_to_dict(told["POSTGRES_URL"])
    assert (address["options"], address["user"]) == ("-c geqo=off", key.key_id)
    asked = parse_uri(told["MONGODB_URL"])["options"]
    assert (asked["replicaSet"], asked["authSource"]) == ("rs", "agent_browser-1")
