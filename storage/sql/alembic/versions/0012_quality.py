"""What the object store holds, and what checks made of it."""

from storage.postgres.schema import run_revision

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Keep inventories of the object store, and the results of checks."""
    run_revision(revision)
