"""What the local servers' helpers do without any server."""

import threading
from pathlib import Path

import pytest

from apps.stack.minio_program import VERSION, minio_version
from apps.stack.tailing import following_lines


def test_what_is_written_right_after_a_rotation_is_not_missed(tmp_path: Path) -> None:
    log, stop = tmp_path / "server.log", threading.Event()
    log.write_text("long ago\n")

    def tick() -> None:
        with log.open("a") as file:
            while True:
                file.write("tick\n")
                file.flush()
                if stop.wait(0.05):
                    return

    ticking = threading.Thread(target=tick)
    ticking.start()
    lines = following_lines(log)
    assert next(lines) == "tick"
    stop.set()
    ticking.join()
    log.rename(tmp_path / "server.log.1")
    log.write_text("first\nsecond\n")
    news = (line for line in lines if line != "tick")
    assert [next(news), next(news)] == ["first", "second"]


def test_asking_for_the_version_of_minio_builds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("AGENTRUNS_MINIO", raising=False)
    assert minio_version() == VERSION
    assert list(tmp_path.iterdir()) == []
