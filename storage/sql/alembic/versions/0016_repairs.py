"""Plans of repairs, what came of them, and what lies in quarantine."""

from storage.postgres.schema import run_revision

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    """Make room for repairs."""
    run_revision(revision)
