"""What components do, and how long it is known."""

from storage.postgres.schema import run_revision

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Let components tell the audit log of what they do, and the owner say how long it is kept."""
    run_revision(revision)
