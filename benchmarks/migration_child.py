"""One migration in this process; prints each batch, and at its end what it took, as JSON."""

import json
import re
import sys
import time
from pathlib import Path

from benchmarks.migration import take_whole
from storage.migration import MigrationStore
from storage.stores import shared_stores


def main(source: str, agent_id: str) -> None:
    """List, copy and verify as the flow does."""
    # What the flow brings along counts as well.
    import flows.migrate_trajectories  # noqa: F401, PLC0415

    stores = shared_stores()
    store = MigrationStore(stores.postgres)
    migration = store.open(source, agent_id, "UTC")
    start = time.perf_counter()
    with store.only_run(migration.id):
        take_whole(stores, store, migration, lambda items: print(json.dumps({"done": items})))
    seconds = time.perf_counter() - start
    # Not ru_maxrss: that one begins with what the parent has.
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    took = {"seconds": seconds, "peak_bytes": int(peak[1]) * 1024 if peak else 0}
    print(json.dumps({"done": 0, **took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
