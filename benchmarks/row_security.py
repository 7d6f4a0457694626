"""What row security costs the writer: rows written by an agent's key, by the operator, and past it.

Raw is the same writer as the owner, whom the sandbox lets see all rows, so that no policy is asked.
"""

from collections.abc import Sequence

from agentruns.models import AgentTask, ProgressUpdate
from benchmarks.measure import Action, compare, show
from benchmarks.record_writer import Maker
from benchmarks.sandbox import sandbox
from storage import PostgresAdapter, Stores
from storage.access.keys import new_key
from storage.access.postgres import PostgresAccess
from storage.postgres.address import with_login

GOAL = 0.9
#: Rows of a batch, and how many batches are timed at once.
SIZES = ((1_000, 20), (100, 50), (1, 400))
ROUNDS = 9


def main() -> None:
    """Print the ratio for large batches, small ones and single rows."""
    with sandbox() as (stores, agent_id):
        tasks = [AgentTask(agent_id=agent_id, title=f"task {number}") for number in range(100)]
        stores.postgres.store_rows(tasks=tasks)
        make = Maker(agent_id, tasks)
        with (
            PostgresAdapter(stores.settings.required("postgres_owner_url")) as past,
            PostgresAdapter(_url_of_key(stores, agent_id)) as agent,
        ):
            for size, count in SIZES:
                _show("an agent's key", agent, past, make, size, count)
            _show("the operator", stores.postgres, past, make, *SIZES[0])


def _url_of_key(stores: Stores, agent_id: str) -> str:
    url = stores.settings.required("postgres_url")
    key = new_key(agent_id)
    PostgresAccess(url).grant(key)
    return with_login(url, key.key_id, key.secret.get_secret_value())


def _show(  # noqa: PLR0913, PLR0917 - what is compared, and on what
    who: str, mine: PostgresAdapter, past: PostgresAdapter, make: Maker, size: int, count: int
) -> None:
    def prepare() -> tuple[Action, Action]:
        return tuple(_writing(each, make, size, count) for each in (mine, past))  # type: ignore[return-value]  # two of them

    found = compare(prepare, size * count, ROUNDS)
    show(f"row security: {who}, {size:,} a time", found, "rows/s", GOAL)


def _writing(adapter: PostgresAdapter, make: Maker, size: int, count: int) -> Action:
    batches: Sequence[list[ProgressUpdate]] = [make.progress(size) for _ in range(count)]
    return lambda: [adapter.store_rows(progress=batch) for batch in batches]


if __name__ == "__main__":
    main()
