"""Turning the driver's errors into ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from storage.errors import (
    AccessDenied,
    RecordRejected,
    SchemaMismatch,
    StorageError,
    StoreUnavailable,
)

_DENIED = (
    errors.InsufficientPrivilege,
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
)
_UNKNOWN_NAME = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)

# The driver gives no SQLSTATE when connecting fails, so its words have to do.
_REFUSES_US = re.compile(
    "authentication failed|no password supplied|no pg_hba.conf|not permitted"
    "|valid client certificate"
)
_UNTRUSTED = re.compile(
    "certificate verify failed|server certificate|does not support SSL|SSL error|root certificate"
    "|certificate file|private key file"
)
_NO_DATABASE = re.compile('database ".*" does not exist')
_REASONS = {
    "Connection refused": "nothing listens at its address",
    "resolve host": "its host name is unknown",
    "timeout expired": "it did not answer in time",
    "by the deadline": "it did not answer in time",
    "couldn't get a connection": "no connection became free in time",
    "statement timeout": "a statement took too long",
    "too many clients": "it has no connection left",
    "too many connections": "its role has no connection left",
    "starting up": "it is still starting",
    "deadlock": "two writers were in each other's way",
    "No space left": "its disk is full",
}
#: The tombstones of revision 0011, and the holds of revision 0017.
_DELETED = {
    "nothing_is_held": (
        "A task of it is held, and nothing deletes it until 'agentruns tasks release'."
    ),
    "hold_of_known_task": "A task that is held can neither be deleted nor belong to nobody.",
    "task_is_not_deleted": "The task was deleted for good: nothing of it is taken any more.",
    "agent_is_not_deleted": (
        "The agent was deleted for good: nothing that it recorded before is taken any more."
    ),
}
_OF_OWN_TASK = frozenset(
    {"progress_of_own_task", "evaluation_of_that_agents_task", "file_of_own_task"}
)


@contextmanager
def translated() -> Iterator[None]:
    """Let only our own errors out, each a sentence without a secret."""
    try:
        yield
    except _DENIED as error:
        raise _denied() from error
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise RecordRejected(_rejection(error)) from error
    except _UNKNOWN_NAME as error:
        raise SchemaMismatch(
            "The database lacks a table or column that this code needs: run 'agentruns up' "
            "or 'agentruns deploy' to migrate it."
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise _unavailable(str(error)) from error
    except psycopg.Error as error:
        raise StorageError(
            f"PostgreSQL refused a statement ({type(error).__name__}); please report this."
        ) from error


def _denied() -> AccessDenied:
    return AccessDenied(
        "PostgreSQL refuses this user: check the user and password in POSTGRES_URL "
        "and the rights of its role."
    )


def _rejection(error: psycopg.Error) -> str:
    # Only names: the detail would repeat what the record says.
    about = error.diag
    if about.constraint_name in _DELETED:
        return _DELETED[about.constraint_name]
    if about.constraint_name in _OF_OWN_TASK:
        return (
            f"PostgreSQL refuses the record: '{about.constraint_name}' does not hold. Its agent "
            "has no such task: it was never stored, or was deleted for good."
        )
    if about.constraint_name:
        return f"PostgreSQL refuses the record: '{about.constraint_name}' does not hold."
    if about.column_name:
        return f"PostgreSQL refuses the record: '{about.column_name}' has a value it cannot take."
    return f"PostgreSQL refuses the record: {type(error).__name__}."


def _unavailable(words: str) -> StorageError:
    if _REFUSES_US.search(words):
        return _denied()
    if _NO_DATABASE.search(words):
        return SchemaMismatch(
            "The database that POSTGRES_URL names does not exist: create it or correct the name."
        )
    if _UNTRUSTED.search(words):
        return AccessDenied(
            "No verified TLS connection to PostgreSQL: name who signed its certificate with "
            "POSTGRES_CA_FILE, and its host as the certificate does; see docs/security.md."
        )
    reason = next((ours for theirs, ours in _REASONS.items() if theirs in words), "it hung up")
    return StoreUnavailable(
        f"PostgreSQL is not available, {reason}: check that the server runs and that "
        "POSTGRES_URL points to it."
    )
