"""What an archive keeps of a file: all of it, without the secrets of a text."""

import json
import tarfile

import pytest
from backports.zstd import ZstdFile

from agentruns.cleaning import SecretPatterns
from agentruns.trajectories.files import LARGEST
from storage.migration.archive import MANIFEST, packing
from storage.migration.models import ItemFile

SECRET = b'password = "Tr0ub4dor-and-3"\n'
TEXT = SECRET * (9 * 2**20 // len(SECRET))


def archived(tmp_path, content):
    """The content of a file as an archive keeps it, and what the manifest tells of it."""
    (tmp_path / "file").write_bytes(content)
    target = tmp_path / "archive"
    file = ItemFile(None, b"file", len(content), 0, "listed", None)
    with packing(target, tmp_path, {}, SecretPatterns()) as pack:
        pack.add(file)
    with ZstdFile(target) as compressed, tarfile.open(fileobj=compressed, mode="r|") as tar:
        kept = {member.name: tar.extractfile(member).read() for member in tar}
    (told,) = json.loads(kept[MANIFEST])["files"]
    return kept[told["member"]], told


@pytest.mark.parametrize(
    "video",
    [
        pytest.param(b"\0" * 9 * 2**20 + TEXT * 3, id="later parts look like text"),
        pytest.param(TEXT * 4 + b"\0", id="all but the last byte looks like text"),
        pytest.param(SECRET + b"\0", id="small"),
    ],
)
def test_a_binary_file_stays_byte_for_byte_whatever_parts_of_it_look_like(tmp_path, video):
    kept, told = archived(tmp_path, video)
    assert kept == video
    assert "redacted" not in told


@pytest.mark.parametrize("text", [SECRET, TEXT * 4])
def test_a_text_loses_its_secrets_however_large_it_is(tmp_path, text):
    kept, told = archived(tmp_path, text)
    assert b"Tr0ub4dor" not in kept
    assert told["redacted"] == ["in its text"]


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "Tr0ub4dor-and-3", "password": ""}',
        '{"a": "sk-ant-api03-AbCdEf0123456789", "a": "x"}',
        '{"a": [{"a": 1}, {"b": {"pin": 1, "password": "Tr0ub4dor", "password": 2, "pin": "x"}}]}',
        '{"a": 1}\n{"repeated": 1, "a": {"password": "Tr0ub4dor"}, "a": 2}\n',
    ],
)
def test_a_name_that_stands_there_twice_hides_no_secret(tmp_path, text):
    kept, told = archived(tmp_path, text.encode())
    assert b"Tr0ub4dor" not in kept
    assert b"sk-ant" not in kept
    assert told["redacted"]


def test_a_name_that_stands_there_twice_stays_byte_for_byte_where_nothing_is_secret(tmp_path):
    text = b'{"a": 1, "a": [2], "b": {"c": "d", "c": "e"}, "repeated": 1}'
    assert archived(tmp_path, text)[0] == text


def test_a_name_that_stands_there_twenty_thousand_times_takes_no_while(tmp_path):
    text = b'{"password": "Tr0ub4dor-and-3", ' + b'"a": 1, ' * 20_000 + b'"a": 2}'
    assert b"Tr0ub4dor" not in archived(tmp_path, text)[0]


def test_the_large_examples_are_large():
    assert len(TEXT * 4) > LARGEST
