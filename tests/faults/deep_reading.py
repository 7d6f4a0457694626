"""A process that reads what is left of a pass, telling each batch that is kept, to be killed."""

import sys

from storage.deep import DeepReading, DeepStore, Scope
from storage.stores import Stores


class Telling(DeepStore):
    """Tells of each batch, when it is kept."""

    def keep(self, pass_id, readings):  # type: ignore[no-untyped-def]  # that of its parent
        """Keep it, and say how many it were."""
        super().keep(pass_id, readings)
        sys.stdout.write(f"{len(readings)}\n")
        sys.stdout.flush()


def main() -> None:
    """Read the only pass that is open."""
    with Stores() as stores:
        store = Telling(stores.postgres)
        with store.only_run():
            for one in store.open(Scope()):
                DeepReading(store, stores.minio).read(one)


if __name__ == "__main__":
    main()
