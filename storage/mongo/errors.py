"""Errors of the MongoDB driver, told in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from storage.errors import (
    AccessDenied,
    RecordRejected,
    SettingsError,
    StorageError,
    StoreUnavailable,
)

#: Unauthorized, AuthenticationFailed, and what hosted clusters answer instead.
DENIED = frozenset({13, 18, 8000})
#: Shutting down, out of disk space, interrupted: the server will get over it, or be helped.
PASSING = frozenset({91, 262, 11600, 11601, 11602, 14031})


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the driver's errors into ours; the driver's own words may hold the URL, so none stay."""
    try:
        yield
    except (ConnectionFailure, ExecutionTimeout, WTimeoutError) as error:
        # A driver that was refused looks at the server again, for seconds, before it answers so.
        if isinstance(error, ServerSelectionTimeoutError) and "AuthenticationFailed" in str(error):
            raise _denied(address) from error
        if "CERTIFICATE_VERIFY_FAILED" in str(error) or "SSL" in str(error):
            raise AccessDenied(
                f"No verified TLS connection to MongoDB at {address}: name who signed its "
                "certificate with MONGODB_CA_FILE, and its host as the certificate does."
            ) from error
        raise StoreUnavailable(
            f"MongoDB at {address} gives no answer; see whether it runs and can be reached."
        ) from error
    except (DocumentTooLarge, BSONError, OverflowError) as error:
        raise RecordRejected(f"MongoDB cannot hold this document: {_first_line(error)}") from error
    except ConfigurationError:
        # `from None`: the driver quotes parts of the URL.
        raise SettingsError(
            "MONGODB_URL (or an entry of MONGODB_CLUSTERS) is not a MongoDB URL; "
            "it looks like mongodb://user:password@host:27017, special characters as %XX."
        ) from None
    except OperationFailure as error:
        raise _refused(error, address) from error
    except PyMongoError as error:
        raise StorageError(f"MongoDB at {address} failed with {type(error).__name__}.") from error


def _refused(error: OperationFailure, address: str) -> StorageError:
    if error.code in DENIED:
        return _denied(address)
    if error.code in PASSING or error.has_error_label("RetryableWriteError"):
        return StoreUnavailable(f"MongoDB at {address} cannot work now ({_name(error)}).")
    return StorageError(f"MongoDB at {address} refused the command ({_name(error)}).")


def _denied(address: str) -> AccessDenied:
    return AccessDenied(
        f"MongoDB at {address} refuses this user; check name, password and rights in its URL."
    )


def _name(error: OperationFailure) -> str:
    return str((error.details or {}).get("codeName") or f"code {error.code}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
