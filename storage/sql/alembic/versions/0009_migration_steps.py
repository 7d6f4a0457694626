"""What each step of a migration has done since it began."""

from storage.postgres.schema import run_revision

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Let people see a migration move."""
    run_revision(revision)
