"""Deliver what agents recorded on this machine and nobody took to the stores."""

from collections.abc import Sequence

from prefect import flow
from prefect.artifacts import create_table_artifact

from agentruns.models.values import Record
from tasks.delivery import SpoolResult, drain_spool, find_spools
from tasks.markdown import plain


class DeliveryReport(Record):
    """What came of every spool that was found."""

    spools: tuple[SpoolResult, ...]
    delivered: int
    """Events that are in the stores now."""
    pending: int
    rejected: int


@flow(persist_result=False)
def deliver_spools(folder: str | None = None) -> DeliveryReport:
    """Deliver every spool under a folder that no other delivery works on.

    The run succeeds also when a store is away: what waits is in its table, and safe.

    Args:
        folder: Where the spools are, at most three folders down; by default the home of agentruns.
    """
    spools = [drain_spool(found) for found in find_spools(folder)]
    _show(spools)
    return DeliveryReport(
        spools=tuple(spools),
        delivered=sum(sum(spool.delivered.values()) for spool in spools),
        pending=sum(spool.pending for spool in spools),
        rejected=sum(spool.rejected for spool in spools),
    )


def _show(spools: Sequence[SpoolResult]) -> None:
    """Leave the table that people open in Prefect."""
    create_table_artifact(
        key="spools",
        description=f"{len(spools)} spools were found." if spools else "No spool was found.",
        table=[
            {
                "spool": plain(spool.folder),
                "delivered": sum(spool.delivered.values()),
                "waiting": spool.pending,
                "refused": spool.rejected,
                "remark": plain(spool.remark),
            }
            for spool in spools
        ],
    )
