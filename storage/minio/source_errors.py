"""What goes wrong with a source's server, told with the names of its own settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from minio.error import S3Error
from urllib3.exceptions import SSLError

from storage.errors import (
    AccessDenied,
    RecordNotFound,
    SettingsError,
    StorageError,
    StoreUnavailable,
)
from storage.minio.errors import translated


@contextmanager
def told(address: str, bucket: str) -> Iterator[None]:
    """Turn the client's errors into ours; no message holds a key or a signature."""
    try:
        with translated(address):
            yield
    except RecordNotFound:
        raise
    except StorageError as error:
        raise _in_words(error, address, bucket) from error.__cause__


def _in_words(error: StorageError, address: str, bucket: str) -> StorageError:
    cause = error.__cause__
    code = (cause.code if isinstance(cause, S3Error) else None) or type(cause or error).__name__
    server = f"The source's S3 server at {address}"
    if isinstance(error, AccessDenied):
        return AccessDenied(
            f"{server} refuses the key of the source ({code}): check "
            "AGENTRUNS_SOURCE_S3_ACCESS_KEY and AGENTRUNS_SOURCE_S3_SECRET_KEY, and whether the "
            f"key may do this in the bucket {bucket!r}."
        )
    if isinstance(error, StoreUnavailable):
        return StoreUnavailable(
            f"{server} gives no answer ({code}); see whether it runs and can be reached, and "
            "check AGENTRUNS_SOURCE_S3_ENDPOINT."
        )
    if isinstance(cause, SSLError):
        return StorageError(
            f"No TLS connection to the source's S3 server at {address}: name who signed its "
            "certificate with AGENTRUNS_SOURCE_S3_CA_FILE, or set AGENTRUNS_SOURCE_S3_SECURE=false "
            "when it speaks plain HTTP."
        )
    if code == "NoSuchBucket":
        return SettingsError(f"{server} has no bucket {bucket!r}: check the name of the source.")
    if "MINIO_ENDPOINT" in str(error):
        return StorageError(
            f"What answers at {address} is not an S3 server; check AGENTRUNS_SOURCE_S3_ENDPOINT."
        )
    return error if cause is None else StorageError(f"{server} refused the request ({code}).")
