"""How far a migration is behind its source."""

from datetime import UTC, datetime

from psycopg.rows import dict_row

from agentruns.models import utcnow
from agentruns.models.values import Record, UtcTime
from storage.migration.live_recordings import WAITS
from storage.migration.models import Migration
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried


class Lag(Record):
    """What waits, and since when the source was not looked at."""

    items: int
    """New or changed, and not imported yet."""
    files: int
    """New or changed files in them."""
    bytes: int
    recording: int
    """Items among them whose live recording still goes on."""
    oldest_at: UtcTime | None
    """Last change of the file that waits longest."""
    oldest_seconds: float | None
    inventory_seconds: float | None
    """Since the source was last looked at; what came later is not known."""
    run_seconds: float | None
    """Since a run last ended that copied all it could."""

    @property
    def in_words(self) -> str:
        """The same for people."""
        if self.inventory_seconds is None:
            return "Lag: the source was not looked at yet."
        return f"Lag: {self._waiting()}. {self._looked()}"

    def _waiting(self) -> str:
        if not self.items:
            return "nothing waits"
        live = f", {self.recording} for a live recording that goes on" if self.recording else ""
        oldest = "" if self.oldest_seconds is None else f"; the oldest {_ago(self.oldest_seconds)}"
        return f"{self.items} items with {self.files} new or changed files wait{live}{oldest}"

    def _looked(self) -> str:
        ran = self.run_seconds
        ended = "no run has ended yet" if ran is None else f"the last run ended {_ago(ran)}"
        return f"The source was looked at {_ago(self.inventory_seconds or 0)}, {ended}."


@retried
def lag_of(postgres: PostgresAdapter, migration: Migration) -> Lag:
    """How far the migration is behind."""
    given = {"migration_id": migration.id, "recording": WAITS}
    with (
        postgres.connection() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        (found,) = cursor.execute(query("lag"), given).fetchall()
    oldest = _moment(found["oldest_ns"])
    return Lag(
        items=found["items"],
        files=found["files"],
        bytes=found["size_bytes"],
        recording=found["recording"],
        oldest_at=oldest,
        oldest_seconds=_since(oldest),
        inventory_seconds=_since(migration.inventoried_at),
        run_seconds=_since(migration.copied_at),
    )


def _moment(nanoseconds: int | None) -> datetime | None:
    try:
        return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        # A file's time is whatever somebody set it to.
        return None


def _since(moment: datetime | None) -> float | None:
    return None if moment is None else round((utcnow() - moment).total_seconds(), 1)


def _ago(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} seconds ago"
