"""Sources that did not change."""

from storage.postgres.schema import run_revision

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Know which readers looked into a source when it was listed last."""
    run_revision(revision)
