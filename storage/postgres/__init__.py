"""Tasks, progress, verdicts and file metadata, kept in PostgreSQL."""

from storage.postgres.adapter import PostgresAdapter

__all__ = ["PostgresAdapter"]
