"""Who may do what: roles, keys, grants, row security."""

from storage.postgres.schema import run_revision

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Close the tables and open them to each role as far as it needs."""
    run_revision(revision)
