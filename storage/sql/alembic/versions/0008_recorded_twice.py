"""Runs that were recorded live and also lie in a folder."""

from storage.postgres.schema import run_revision

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Know which item is the folder of which live recording."""
    run_revision(revision)
