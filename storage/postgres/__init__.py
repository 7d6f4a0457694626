"""Tasks, progress, verdicts and file metadata, kept in PostgreSQL."""
