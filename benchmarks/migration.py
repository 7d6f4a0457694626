"""A migration against the tools that people would use instead, on the same tree, in the same run.

The tree holds cua runs of 20 steps each with one PNG of 20 kB. Beside ours: `find -printf` with
`sha256sum` for the inventory, `put_object` in eight threads for the copy, and `mc mirror` for the
whole, where a program `mc` is found (AGENTRUNS_MC, or in the cache of agentruns, where
`GOBIN=~/.cache/agentruns/mc go install github.com/minio/mc@latest` puts it).
"""

import argparse
import json
import os
import resource
import shutil
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple
from uuid import UUID

from agentruns.cleaning import picture_fault
from agentruns.models import new_id
from benchmarks.measure import seconds, tell
from benchmarks.sandbox import raw_minio, sandbox
from storage import Stores
from storage.migration import Migration, MigrationStore
from storage.migration.claims import Claims, Room
from storage.migration.comparing import Comparing
from storage.migration.copying import Copying
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import START
from storage.migration.verifying import Verifying

STEPS, PNG_BYTES = 20, 20_000
#: So many grey pixels of noise, and what a PNG has around them, are 20,000 bytes.
_WIDTH, _HEIGHT = 150, 132
_TICKS = 0x01B21DD213814000 + 17_000_000_000_000_000


class Figures(NamedTuple):
    """Seconds that each way took, in one round."""

    listed: float
    inventory: float
    raw: float
    copy: float
    whole: float
    again: float
    processor: float
    """Of ours, for the whole."""
    mirror: float
    """Nothing when there is no `mc`."""
    processor_of_mirror: float


def main() -> None:
    """Print the ratios of inventory, copy and whole, and what a second run takes."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--runs", type=int, default=100, help="500 are the 10,000 of the goal")
    wanted.add_argument("--rounds", type=int, default=1, help="the medians of so many are told")
    arguments = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentruns-bench-") as folder:
        source = Path(folder, "runs")
        pictures = fill(source, arguments.runs)
        _listed(source)  # warms the page cache
        rounds = [_round(source) for _ in range(arguments.rounds)]
    _tell(Figures(*map(median, zip(*rounds, strict=True))), pictures)


def _round(source: Path) -> Figures:
    with sandbox() as (stores, agent_id):
        store = MigrationStore(stores.postgres)
        migration = store.open(str(source), agent_id, "UTC")
        listed = seconds(lambda: _listed(source))
        inventory = seconds(lambda: store.take_inventory(migration))
        raw = seconds(lambda: _put(stores, agent_id, source))
        copy = seconds(lambda: copy_all(stores, store, migration))
        mirror, its_own = _mirrored(stores, agent_id, source)
    with sandbox() as (stores, agent_id):
        store = MigrationStore(stores.postgres)
        migration = store.open(str(source), agent_id, "UTC")
        begun = time.process_time()
        whole = seconds(lambda: take_whole(stores, store, migration))
        processor = time.process_time() - begun
        again = seconds(lambda: take_whole(stores, store, migration))
    return Figures(listed, inventory, raw, copy, whole, again, processor, mirror, its_own)


def _tell(found: Figures, pictures: int) -> None:
    tell(
        "migration: inventory to find and sha256sum",
        found.listed / found.inventory,
        "times",
        least=0.5,
    )
    tell("migration: copy, pictures", pictures / found.copy, "a second")
    tell("migration: copy to eight parallel puts of the SDK", found.raw / found.copy, "times")
    tell("migration: whole, pictures", pictures / found.whole, "a second")
    tell("migration: whole, processor time a picture", 1000 * found.processor / pictures, "ms")
    if found.mirror:
        per = 1000 * found.processor_of_mirror / pictures
        tell("migration: mc mirror, processor time a picture", per, "ms")
        tell("migration: copy to mc mirror", found.mirror / found.copy, "times", least=1.0)
        tell("migration: whole to mc mirror", found.mirror / found.whole, "times", least=0.8)
    again = found.again / found.whole
    tell("migration: second run over an unchanged source", again, "of a run", most=0.05)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell("migration: peak memory", peak, "MiB", most=300)


def fill(source: Path, runs: int) -> int:
    """Write so many cua runs; gives how many pictures they hold."""
    for number in range(runs):
        run = _begin(source, number)
        for step in range(STEPS):
            _fill_step(run, number, step)
    return runs * STEPS


def fill_long(source: Path, steps: int, size: int) -> None:
    """Write one cua run of so many steps, whose requests to the model have so many bytes."""
    run, words = _begin(source, 0), "What the model was told before, again. "
    said = words * (size // steps // len(words))
    for step in range(steps):
        _fill_step(run, 0, step)
        asked = {"kwargs": {"model": "m", "messages": [{"role": "user", "content": said}]}}
        turn = run / f"turn_{2 * step:03d}"
        (turn / f"{3 * (steps + step):05d}_api_start.json").write_text(json.dumps(asked))


def _begin(source: Path, number: int) -> Path:
    run = source / f"2026-01-01_model_{number:06d}_{number:04x}"
    run.mkdir(parents=True)
    about = {"trajectory_id": run.name, "status": "completed", "created_at": str(_TICKS)}
    (run / "metadata.json").write_text(json.dumps(about))
    return run


def _fill_step(run: Path, number: int, step: int) -> None:
    turn = run / f"turn_{2 * step:03d}"
    turn.mkdir()
    call = {"type": "computer_call", "call_id": f"call_{number}_{step}"}
    call["action"] = {"type": "click", "x": step, "y": number}  # type: ignore[assignment]  # nested
    moment = str(_TICKS + (number * STEPS + step) * 10_000_000)
    answer = {"model": "m", "response": {"output": [call]}, "created_at": moment}
    (turn / f"{3 * step:04d}_agent_response.json").write_text(json.dumps(answer))
    acted = run / f"turn_{2 * step + 1:03d}"
    acted.mkdir()
    (acted / f"{3 * step + 1:04d}_screenshot_after.png").write_bytes(noise())
    result = {"item": call, "result": [], "created_at": moment}
    (acted / f"{3 * step + 2:04d}_computer_call_result.json").write_text(json.dumps(result))


def noise() -> bytes:
    """A whole PNG of noise, as hardly any picture compresses; a cut off one goes another way."""
    rows = b"".join(b"\0" + os.urandom(_WIDTH) for _ in range(_HEIGHT))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    picture = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    if len(picture) != PNG_BYTES or picture_fault(picture):
        raise RuntimeError(f"{len(picture)} bytes: {picture_fault(picture)}")
    return picture


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def take_whole(
    stores: Stores,
    store: MigrationStore,
    migration: Migration,
    told: Callable[[int], object] = lambda _: None,
) -> None:
    """List, copy and verify, as the flow does; tells how many more items are done."""
    store.take_inventory(migration)
    copy_all(stores, store, migration, Comparing(stores, migration.agent_id), told)
    verify_rest(stores, store, migration)


def copy_all(
    stores: Stores,
    store: MigrationStore,
    migration: Migration,
    comparing: Comparing | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> None:
    """Claim what is pending and copy it, as the flow does: two batches of a second at a time."""
    # Prefect takes its time.
    from tasks.migration import MOST_BYTES, MOST_FILES, MOST_ITEMS, cut  # noqa: PLC0415

    copying = Copying(store, stores.writer, recordings=LiveRecordings(stores))
    claims = Claims(stores.postgres, migration.id, new_id())
    room = Room(4 * MOST_ITEMS, 4 * MOST_FILES, 4 * MOST_BYTES)

    def copy(batch: list[UUID]) -> None:
        copying.copy(migration, batch, comparing)
        claims.release(batch)
        told(len(batch))

    after = START
    with claims.leading(), ThreadPoolExecutor(2) as pool:
        while found := claims.claim(after, room):
            list(pool.map(copy, cut(found)))
            after = found[-1][0]
    store.note_copy(migration.id)


def verify_rest(stores: Stores, store: MigrationStore, migration: Migration) -> None:
    """Verify what was not verified right after its copy."""
    after: UUID | None = None
    verifying = Verifying(stores, migration)
    while ids := store.items_to_verify(migration.id, after, 64, only_new=True):
        files = store.files_of(ids)
        for item in store.items(ids):
            found = verifying.differences(item, files[item.id])
            if found:
                raise RuntimeError(f"{item.name}: {found[0]}")
            store.note_differences(item, found, deep=False)
        after = ids[-1]
    store.note_verification(migration.id, deep=False)


def _listed(source: Path) -> None:
    script = (
        'find "$1" -type f -printf "%P %s %T@\\n" >"$2"; '
        'find "$1" -type f -print0 | xargs -0 sha256sum >"$2"'
    )
    with tempfile.NamedTemporaryFile() as told:
        subprocess.run(["/bin/sh", "-c", script, "sh", str(source), told.name], check=True)


def _put(stores: Stores, agent_id: str, source: Path) -> None:
    client = raw_minio(stores.settings)

    def put(path: Path) -> None:
        client.fput_object("binaries", f"{agent_id}/raw/{path.relative_to(source)}", str(path))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, source.rglob("*.png")))


def _mirror(mc: str, stores: Stores, agent_id: str, source: Path) -> None:
    settings = stores.settings
    scheme = "https" if settings.minio_secure else "http"
    login = f"{settings.required('minio_access_key')}:{settings.required('minio_secret_key')}"
    host = f"{scheme}://{login}@{settings.required('minio_endpoint')}"
    target = f"bench/binaries/{agent_id}/mirror/"
    subprocess.run(
        [mc, "--quiet", "mirror", str(source), target],
        env={**os.environ, "MC_HOST_bench": host},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _mirrored(stores: Stores, agent_id: str, source: Path) -> tuple[float, float]:
    """Seconds, and processor time of the client."""
    mc = _mc()
    if mc is None:
        return 0, 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    mirror = seconds(lambda: _mirror(mc, stores, agent_id, source))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mirror, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _mc() -> str | None:
    cached = Path("~/.cache/agentruns/mc/mc").expanduser()
    return os.environ.get("AGENTRUNS_MC") or (
        str(cached) if cached.exists() else shutil.which("mc")
    )


if __name__ == "__main__":
    main()
