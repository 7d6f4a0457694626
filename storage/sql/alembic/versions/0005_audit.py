"""Who let whom in and out."""

from storage.postgres.schema import run_revision

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Have the database itself note every change to agents and keys."""
    run_revision(revision)
