"""Runs the revisions on the connection that `storage.postgres.schema.migrate` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
