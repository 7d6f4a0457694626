"""Thirty kinds of secrets, said in every way that a run can say something, reach nobody."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient

from agentruns.spool import Spool
from storage.delivery import Delivery
from storage.settings import Settings

pytestmark = pytest.mark.promise(14, by="us")

AGENT = Path(__file__).with_name("telling_agent.py")
KEY = "q7Zp4Rt8Lw2Xn6Vb9Kd3Hs5Jf1Mg0Tc"
#: Known by their own look.
SHAPES = {
    "OpenAI": f"sk-proj-{KEY}A",
    "Anthropic": f"sk-ant-api03-{KEY}B",
    "Stripe": f"sk_live_{KEY}C",
    "GitHub": f"ghp_{KEY}D1234",
    "GitHub, fine-grained": f"github_pat_{KEY}E",
    "GitLab": f"glpat-{KEY}F",
    "Slack": f"xoxb-123456789012-{KEY}G",
    "Slack app": f"xapp-1-{KEY}H",
    "AWS key id": "AKIAQ7ZP4RT8LW2XN6VB",
    "Google": "AIzaq7Zp4Rt8Lw2Xn6Vb9Kd3Hs5Jf1Mg0TcUvWx",
    "Google OAuth": f"ya29.{KEY}I",
    "Hugging Face": f"hf_{KEY}J",
    "npm": f"npm_{KEY}K1234",
    "PyPI": f"pypi-{KEY}{KEY}L",
    "Groq": f"gsk_{KEY}M",
    "SendGrid": f"SG.{KEY}.{KEY}N",
    "JSON web token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0{KEY}.{KEY}O",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}P\n-----END RSA PRIVATE KEY-----",
    "of the user's own": "ACME-77-" + KEY + "Q",
}
#: Known by what stands before them: in a text, and as the key of a value.
NAMED = {
    "api_key": (f"api_key={KEY}a", {"api_key": f"{KEY}b"}),
    "password": (f"the password: {KEY}c", {"password": f"{KEY}d"}),
    "passphrase": (f'"passphrase": "{KEY}e"', {"ssh_passphrase": f"{KEY}f"}),
    "authorization": (f"Authorization: Basic {KEY}g", {"authorization": f"{KEY}h"}),
    "bearer": (f"curl with Bearer {KEY}i", {"headers": {"X-Auth-Token": f"{KEY}j"}}),
    "cookie": (f"Set-Cookie: session={KEY}k", {"cookies": [{"value": f"{KEY}l"}]}),
    "client secret": (f"client_secret={KEY}m", {"client_secret": f"{KEY}n"}),
    "cloud key": (f"AWS_SECRET_ACCESS_KEY={KEY}o", {"aws_secret_access_key": f"{KEY}r"}),
    "address": (f"mongodb://root:{KEY}s@db:27017/x", {"connection_string": f"{KEY}t"}),
    "link": (f"https://x.test/?token={KEY}u&page=2", {"access_token": f"{KEY}v"}),
    "header list": (f"secret='{KEY}w'", {"name": "Authorization", "value": f"{KEY}x"}),
    "signing key": (f"private_key={KEY}y", {"signing_key": f"{KEY}z"}),
}
SECRETS = [
    KEY,
    SHAPES["AWS key id"],
    SHAPES["Google"],
]


@pytest.fixture
def told(tmp_path: Path, settings: Settings, agent_id: str) -> Iterator[Path]:
    """A spool into which an agent has told all its secrets, and what it printed beside it."""
    own = tmp_path / "secrets.txt"
    own.write_text("# the keys of our shop\nACME-\\d\\d-\\w+\n")
    planted = tmp_path / "planted.json"
    planted.write_text(json.dumps({"texts": _texts(), "data": _data()}))
    printed = subprocess.run(
        [sys.executable, AGENT, agent_id, tmp_path / "spool", own, planted],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # What the agent prints itself is its own business; on stderr speaks the recorder.
    (tmp_path / "spool" / "stderr.txt").write_text(printed.stderr)
    return tmp_path / "spool"


@pytest.mark.promise(14, by="us", control=True)
def test_thirty_kinds_are_planted() -> None:
    assert len(SHAPES) + len(NAMED) >= 30
    assert all(any(secret in text for secret in SECRETS) for text in _texts())


def test_no_secret_is_in_the_spool_or_on_the_screen(told: Path) -> None:
    for path in told.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert [one for one in SECRETS if one.encode() in content] == [], path
    assert b"[redacted]" in b"".join(path.read_bytes() for path in told.rglob("events.db*"))


def test_no_secret_is_in_a_store_or_a_log(
    told: Path, settings: Settings, agent_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        drained = Delivery(Spool(told), settings).drain()
    assert (drained.pending, drained.rejected) == (0, 0)
    assert min(drained.delivered.values()) > 0
    everything = [*_in_postgres(settings), *_in_mongodb(settings, agent_id), caplog.text]
    assert sum(text.count("[redacted]") for text in everything) > 100
    assert [one for one in SECRETS for text in everything if one in text] == []


def _texts() -> list[str]:
    return [*(f"used {secret} now" for secret in SHAPES.values()), *(x for x, _ in NAMED.values())]


def _data() -> list[dict[str, Any]]:
    shapes = [{"note": secret} for secret in SHAPES.values()]
    return [*shapes, *(value for _, value in NAMED.values())]


def _in_postgres(settings: Settings) -> Iterator[str]:
    with psycopg.connect(settings.required("postgres_url")) as connection:
        for table in (b"tasks", b"task_progress", b"binary_file_metadata"):
            rows = connection.execute(b"SELECT to_jsonb(one)::text FROM %s AS one" % table)
            yield from (text for (text,) in rows)


def _in_mongodb(settings: Settings, agent_id: str) -> Iterator[str]:
    with MongoClient[dict[str, Any]](settings.required("mongodb_url")) as client:
        database = client[f"agent_{agent_id}"]
        for name in database.list_collection_names():
            yield from (str(document) for document in database[name].find())
