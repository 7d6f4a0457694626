"""Runs whose machine was rebooted under them: nobody is left who could tell their end."""

from datetime import timedelta

from agentruns.models import Health
from storage.health import timed_health
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query

DEAD = "dead runs"
#: A delivery gives a sign of life for each living run every half a minute.
SILENCE = timedelta(minutes=10)
#: Runs at a time; the next check takes the others.
MOST = 1000
QUERY_SECONDS = 5.0
REASON = "its machine was rebooted, and with that its process was gone"


def interrupt_dead_runs(postgres: PostgresAdapter, silence: timedelta = SILENCE) -> Health:
    """Mark as interrupted what fell silent for this long and cannot live any more.

    Proof is a newer run on the same machine in another boot. Who is only silent may still live,
    so nothing is said of it here.
    """
    return timed_health(DEAD, lambda: _interrupt(postgres, silence), QUERY_SECONDS)


def _interrupt(postgres: PostgresAdapter, silence: timedelta) -> str:
    given = {"seconds": silence.total_seconds(), "rows": MOST, "reason": REASON}
    with postgres.connection(QUERY_SECONDS) as connection:
        dead = connection.execute(query("interrupt_dead_runs"), given).fetchall()
    if not dead:
        return "No run in progress was cut off by a reboot of its machine."
    return f"Runs interrupted now, because their machines were rebooted: {len(dead)}."
