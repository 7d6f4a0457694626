"""`agentruns agents`: letting agents in and shutting them out, as people and scripts do it."""

import json
import stat
from pathlib import Path

import pytest

from agentruns.spool import Spool
from storage.settings import Settings
from tests.integration.test_cli import Run, own_spool, run
from tests.own_spool import wait_until

__all__ = ["own_spool", "run"]  # fixtures of other files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_agent_is_added_shown_listed_rotated_and_disabled(
    run: Run, settings: Settings, agent_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "agent.env"
    added = run("agents", "add", agent_id, "--to", str(file), "--json")
    assert added.code == 0
    assert added.json()["agent_id"] == agent_id
    assert (added.json()["created"], added.json()["file"]) == (True, str(file))
    assert mode(file) == 0o600

    again = run("agents", "add", agent_id, "--json").json()
    assert again == {"agent_id": agent_id, "created": False}

    rotated = run("agents", "rotate", agent_id, "--to", str(file), "--json").json()
    assert rotated["key_id"] != added.json()["key_id"]
    shown = run("agents", "show", agent_id, "--json").json()
    assert [key["key_id"] for key in shown["keys"]] == [
        rotated["key_id"],
        added.json()["key_id"],
    ]
    assert shown["keys"][1]["expires_at"]

    listed = run("agents", "list", "--json").json()
    assert [agent["agent_id"] for agent in listed["agents"]] == [agent_id]
    assert listed["next"] is None

    disabled = run("agents", "disable", agent_id, "--json").json()
    assert (disabled["disabled"], len(disabled["revoked"])) == (True, 2)
    refused = run("agents", "add", agent_id)
    assert (refused.code, "agentruns agents rotate" in refused.err) == (4, True)


def test_no_secret_is_printed(run: Run, agent_id: str, tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    texts = [run("agents", "add", agent_id, "--to", str(file))]
    texts += [run("agents", "show", agent_id), run("agents", "list", "--json")]
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    told = "".join(text.out + text.err for text in texts)
    assert values["MINIO_SECRET_KEY"] not in told
    assert values["MINIO_ACCESS_KEY"] not in told


def test_a_key_becomes_a_kubernetes_secret(run: Run, agent_id: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.json"
    assert run("agents", "add", agent_id, "--kubernetes-secret", str(file)).code == 0
    manifest = json.loads(file.read_text())
    assert (manifest["kind"], manifest["stringData"]["AGENT_ID"]) == ("Secret", agent_id)
    assert mode(file) == 0o600


def test_what_is_recorded_here_is_the_agents_own_and_its_key_can_be_printed(
    run: Run, own_spool: Spool, agent_id: str
) -> None:
    recorded = run("record", "--agent", agent_id, "--json", "--", "echo", "hello")
    assert (recorded.code, recorded.json()["pending"]) == (0, 0)

    values = run("env", "--as", f"agent:{agent_id}", "--json").json()

    assert values["AGENT_ID"] == agent_id
    assert "key_" in values["POSTGRES_URL"]


def test_an_agent_that_was_not_let_in_is_told_what_to_do(
    run: Run, own_spool: Spool, agent_id: str
) -> None:
    words = ("record", "--agent", agent_id, "--wait", "6", "--", "echo", "hello")
    recorded = run(*words, AGENTRUNS_PROVISION="no")

    assert recorded.code == 0
    assert "are safe in the spool" in recorded.out
    assert f"run 'agentruns agents add {agent_id}'" in recorded.out

    run("agents", "add", agent_id)
    assert wait_until(lambda: not run("spool", "status", "--json").json()["events"], 60)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["agents", "add", "A/b"], "An agent id has"),
        (["agents", "show", "nobody-1"], "agentruns agents add nobody-1"),
        (["agents", "rotate", "nobody-1"], "agentruns agents add nobody-1"),
        (["agents", "rotate", "nobody-1", "--keep", "-1"], "Choose 0 to"),
        (["env", "--as", "agent:nobody-1"], "agentruns agents add nobody-1"),
        (["env", "--as", "king"], "operator, evaluator, frontend or agent:ID"),
    ],
)
def test_a_wrong_word_is_told_with_what_to_do(run: Run, words: list[str], said: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert said in done.err


def test_an_agent_cannot_provision(run: Run, agent_id: str, tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    run("agents", "add", agent_id, "--to", str(file))
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())

    done = run("agents", "add", f"{agent_id}-friend", **values)

    assert done.code == 4
