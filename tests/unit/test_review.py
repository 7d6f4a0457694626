"""What a reviewer looks for first: no secret in the repository, no code made of data."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentruns.cleaning.secret_shapes import KEYS

ROOT = Path(__file__).parents[2]
RUFF = str(Path(sys.executable).with_name("ruff"))

#: What a real one looks like; the product hides more, which in code would be mostly names.
SHAPES = [
    KEYS,
    re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:\\n|[A-Za-z0-9+/=\s]){200}"),
    re.compile(r"://[^\s/:@\"'{}]{0,100}:[^\s/@\"'{}]{12,200}@"),
    re.compile(
        r"(?i)(?:password|secret|token|key)[\"']?\s?[:=]\s?[\"']([A-Za-z0-9+/_=-]{32,})[\"']"
    ),
]
#: Every text of such a shape that may be here; each was made up, and opens nothing.
MADE_UP = {
    # What cua-agent leaves on disk: the examples and their readers' tests.
    "sk-test-7ca07386-cc09-9a1e-7706-4c2c0f552c94",
    "sk-test-965eda32-dae4-4550-8201-e2bd73ab4876",
    "sk-test-965eda32-dae4-4550",
    "sk-test-965eda32-dae4-4550-aaaabbbbcccc",
    # Said by agents in tests, to be taken out.
    "sk-ant-api03-0123456789abcdefghij",
    "sk-ant-api03-0123456789abcdefghijklmnop",
    "sk-abcdefghij0123456789",
    "sk-abcdefgh1234567890abcd",
    "sk-proj-abcdefghij0123456789",
    "sk-ant-api03-AbCdEf0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "xoxb-123456789012-abcdefghijkl",
    "xoxb-123456789012-",
    "AKIAQ7ZP4RT8LW2XN6VB",
    "AIzaq7Zp4Rt8Lw2Xn6Vb9Kd3Hs5Jf1Mg0TcUvWx",
    "://agentruns:wr0ng-secret@",
}
#: One attempt at each thing that is forbidden, and the rule of ruff that finds it.
FORBIDDEN = {
    "eval(x)": "S307",
    "exec(x)": "S102",
    "import pickle; pickle.loads(x)": "S301",
    "import dill; dill.loads(x)": "S301",
    "import shelve; shelve.open(x)": "S301",
    "import marshal; marshal.loads(x)": "S302",
    "import subprocess; subprocess.run(x, shell=True)": "S602",
    "import os; os.system(x)": "S605",
    "import os; os.popen(x)": "S605",
    "import yaml; yaml.load(x)": "S506",
}


def tracked() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return (path for path in paths if path.is_file())


def secrets_in(text: str) -> list[str]:
    """What looks like a secret and is not known to be made up."""
    found = (match[match.lastindex or 0] for shape in SHAPES for match in shape.finditer(text))
    return [one for one in found if one not in MADE_UP]


def test_no_file_of_the_repository_holds_a_secret() -> None:
    # Not decoded as UTF-8: a secret may lie in a picture or a database as well.
    texts = {path: path.read_bytes().decode("latin-1") for path in tracked()}
    assert any("sk-test-965eda32" in text for text in texts.values())
    found = {str(path.relative_to(ROOT)): secrets_in(text) for path, text in texts.items()}
    assert {name: secrets for name, secrets in found.items() if secrets} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "ghp_" + "a1B2" * 9,
        "AKIA" + "R8ZP4RT8LW2XN6VC",
        "sk-" + "test-965eda32-dae4-4550-8201-e2bd73ab4877",
        "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA\n" * 20,
        "postgresql://us" + "er:a-real-password@db.example/x",
        "SECRET" + "_KEY = '" + "0123456789abcdef" * 2 + "'",
    ],
)
def test_a_secret_would_be_found(planted: str) -> None:
    assert secrets_in(f"x = 1\n{planted}\ny = 2\n")


@pytest.mark.parametrize("folder", ["storage", "apps", "tests", "examples", "benchmarks"])
def test_code_made_of_data_would_be_found(folder: str) -> None:
    checked = subprocess.run(
        [RUFF, "check", "--output-format=concise", f"--stdin-filename={folder}/planted.py", "-"],
        cwd=ROOT,
        input="\n".join(FORBIDDEN),
        capture_output=True,
        text=True,
        check=False,
    )
    for line, rule in enumerate(FORBIDDEN.values(), 1):
        assert re.search(rf"planted\.py:{line}:\d+: {rule} ", checked.stdout), (line, rule)


def test_every_exception_from_these_rules_has_its_reason_beside_it() -> None:
    silent = re.compile(r"# noqa(?!: )|# noqa: (?:\w+, )*S\d+(?!\d|(?:, \w+)* - \w)")
    assert silent.search("run(x)  # noqa: S603")
    assert silent.search("run(x)  # noqa")
    assert not silent.search("run(x)  # noqa: S603, S607 - a fixed command")
    code = [path for path in tracked() if path.suffix == ".py" and path != Path(__file__)]
    assert [path.name for path in code if silent.search(path.read_text())] == []


def test_every_shell_script_stops_at_the_first_failure() -> None:
    scripts = [path for path in tracked() if path.read_bytes().startswith(b"#!/usr/bin/env bash")]
    assert {"run", "set-up.sh"} <= {script.name for script in scripts}
    assert [one.name for one in scripts if "\nset -euo pipefail\n" not in one.read_text()] == []
