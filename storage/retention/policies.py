"""The policies in PostgreSQL."""

from psycopg.rows import dict_row

from storage.errors import RecordNotFound
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retention.models import Policy
from storage.retries import retried


class Policies:
    """Keeps policies; PostgreSQL notes every change in the audit log."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    def all(self) -> list[Policy]:
        """Every policy."""
        return self._found(None)

    def get(self, name: str) -> Policy:
        """One policy.

        Raises:
            RecordNotFound: when there is none with this name.
        """
        if found := self._found(name):
            return found[0]
        raise RecordNotFound(
            f"There is no policy '{name}': 'agentruns retention list' shows those that there are."
        )

    def stands(self, policy: Policy) -> bool:
        """Whether a policy is still what it was when it was read."""
        return policy in self._found(policy.name)

    @retried
    def put(self, policy: Policy) -> None:
        """Add a policy, or change the one of that name."""
        told = policy.model_dump() | {"kind": policy.kind.value, "statuses": list(policy.statuses)}
        with self._postgres.connection() as connection:
            connection.execute(
                query("put_policy"), told | {"keep_tagged": list(policy.keep_tagged)}
            )

    @retried
    def remove(self, name: str) -> None:
        """Remove a policy; what it would have deleted stays.

        Raises:
            RecordNotFound: when there is none with this name.
        """
        self.get(name)
        with self._postgres.connection() as connection:
            connection.execute(query("remove_policy"), {"name": name})

    @retried
    def _found(self, name: str | None) -> list[Policy]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            rows = cursor.execute(query("policies"), {"name": name}).fetchall()
        return [Policy.model_validate(row) for row in rows]
