"""Spools of a benchmark's own, and deliveries at work on them in processes of their own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from agentruns.spool import Session, Spool
from benchmarks.record_writer import Maker
from storage.settings import Settings, stack_file

#: Of every block 60 % log entries, 35 % progress, 5 % screenshots.
LOGS, PROGRESS, PICTURES = 600, 350, 50
BLOCK = LOGS + PROGRESS + PICTURES
#: Nobody listens there.
AWAY = {
    "MONGODB_URL": "mongodb://127.0.0.1:9",
    "POSTGRES_URL": "postgresql://nobody@127.0.0.1:9/none",
    "MINIO_ENDPOINT": "127.0.0.1:9",
    # No key of the agent lies there that would lead to the stores after all.
    "AGENTRUNS_HOME": str(Path(tempfile.gettempdir(), "agentruns-bench-nowhere")),
}
_LOOK_SECONDS = 0.005


@contextmanager
def temporary_spool() -> Iterator[Spool]:
    """An empty spool."""
    with tempfile.TemporaryDirectory(prefix="agentruns-bench-", dir="/tmp") as folder:
        yield Spool(folder).prepare()


def fill(spool: Spool, make: Maker, blocks: int, pictures: int = PICTURES) -> int:
    """Have so many blocks of mixed events in the spool; says how many events those are."""
    session = Session(spool)
    for _ in range(blocks):
        session.append([*make.logs(LOGS), *make.progress(PROGRESS), *make.objects(pictures)])
    session.close()
    # What the preparation left to be written is not to be paid by whoever is measured.
    os.sync()
    return session.appended


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a process of its own finds the stores of the sandbox."""
    known = {name: value for name, value in dotenv_values(stack_file()).items() if value}
    return {**known, **os.environ, "POSTGRES_URL": settings.required("postgres_url")}


@contextmanager
def delivery(
    spool: Spool, variables: Mapping[str, str], *options: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A delivery that has taken the spool's lock; it is stopped at the end."""
    with (spool.folder / "delivery.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "storage.delivery", str(spool.folder), *options],
            env={**variables, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=log,
            stderr=log,
        )
    try:
        while not spool.delivering():
            if process.poll() is not None:
                raise RuntimeError(
                    f"the delivery ended: {(spool.folder / 'delivery.log').read_text()}"
                )
            time.sleep(_LOOK_SECONDS)
        yield process
    finally:
        process.terminate()
        process.wait()


def peak_bytes(process_id: int) -> int:
    """The most memory that a living process has had so far; 0 when it has ended."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0
    found = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(next(found, "0")) * 1024
