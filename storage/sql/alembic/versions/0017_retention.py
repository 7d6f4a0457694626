"""How long records are kept, and which are held."""

from storage.postgres.schema import run_revision

revision = "0017"
down_revision = "0013"


def upgrade() -> None:
    """Let the operator say what is kept, and what is held."""
    run_revision(revision)
