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


def test_the_large_examples_are_large():
    assert len(TEXT * 4) > LARGEST
