"""Errors of the MinIO client, told in our words."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from xml.etree.ElementTree import ParseError

from minio.error import (
    InvalidResponseError,
    MinioAdminException,
    MinioException,
    S3Error,
    ServerError,
)
from urllib3.exceptions import HTTPError, SSLError

from storage.errors import (
    AccessDenied,
    RecordNotFound,
    RecordRejected,
    StorageError,
    StoreUnavailable,
)

_NAMELESS = "MinIO does not take an object of this name or size ({code})."
_CLOCK = "The clocks of this machine and of MinIO at {address} differ too much; set them right."
_NO_BUCKET = "MinIO at {address} has no bucket of this name; 'agentruns up' makes the buckets."
_DENIED = (
    "MinIO at {address} refuses this key ({code}); "
    "check MINIO_ACCESS_KEY, MINIO_SECRET_KEY and the rights of the key."
)

#: The answers of an S3 server that mean something to callers; all others are a `StorageError`.
_MEANINGS: dict[str, tuple[type[StorageError], str]] = {
    "NoSuchKey": (RecordNotFound, "There is no such object in MinIO at {address}."),
    "NoSuchBucket": (StorageError, _NO_BUCKET),
    "RequestTimeTooSkewed": (StorageError, _CLOCK),
    **dict.fromkeys(
        ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"),
        (AccessDenied, _DENIED),
    ),
    **dict.fromkeys(
        ("EntityTooLarge", "KeyTooLongError", "XMinioInvalidObjectName", "InvalidObjectName"),
        (RecordRejected, _NAMELESS),
    ),
}


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the client's errors into ours; no message holds a key or a signature."""
    try:
        yield
    except S3Error as error:
        raise _answered(error, address) from error
    except MinioAdminException as error:
        # `from None`: it quotes the whole answer.
        raise _administered(error, address) from None
    except InvalidResponseError as error:
        # The status is the only part of a foreign answer worth telling.
        raise _foreign(error, address) from None
    except ServerError as error:
        raise _status(error.status_code, address) from error
    except ParseError:
        raise _status(200, address) from None
    except SSLError as error:
        raise StorageError(
            f"No TLS connection to MinIO at {address}: name who signed its certificate with "
            "MINIO_CA_FILE, or set MINIO_SECURE=false when it speaks plain HTTP."
        ) from error
    except HTTPError as error:
        raise StoreUnavailable(
            f"MinIO at {address} gives no answer; see whether it runs and can be reached."
        ) from error
    except MinioException as error:
        raise StorageError(f"MinIO at {address} failed with {type(error).__name__}.") from error


def certain_etag(etag: str | None) -> str:
    """The ETag that an S3 server gives with every object; other servers may say 200 as well."""
    if not etag:
        raise ServerError("no ETag", 200)
    return etag


def _answered(error: S3Error, address: str) -> StorageError:
    code = error.code or "no code"
    if error.response.status >= 500:
        return _unable(code, address)
    kind, sentence = _MEANINGS.get(
        code, (StorageError, "MinIO at {address} refused the request ({code}).")
    )
    return kind(sentence.format(address=address, code=code))


def admin_code(error: MinioAdminException) -> str:
    """What MinIO's admin API calls its refusal."""
    with suppress(ValueError):
        return str(json.loads(error._body).get("Code"))  # noqa: SLF001 - no public name for it
    return f"HTTP {error._code}"  # noqa: SLF001 - no public name for it


def _administered(error: MinioAdminException, address: str) -> StorageError:
    code = admin_code(error)
    if error._code.startswith("5"):  # noqa: SLF001 - no public name for it
        return _unable(code, address)
    kind, sentence = _MEANINGS.get(
        code, (StorageError, "MinIO at {address} refused to change rights ({code}).")
    )
    return kind(sentence.format(address=address, code=code))


def _foreign(error: InvalidResponseError, address: str) -> StorageError:
    # The exception keeps the status in `args`' sentence and in this attribute only.
    return _status(error._code, address)  # noqa: SLF001 - no public name for it


def _status(status: int, address: str) -> StorageError:
    if status >= 500:
        return _unable(f"HTTP {status}", address)
    return StorageError(
        f"What answers at {address} is not an S3 server (HTTP {status}); check MINIO_ENDPOINT."
    )


def _unable(what: str, address: str) -> StoreUnavailable:
    return StoreUnavailable(f"MinIO at {address} cannot work now ({what}); see its log.")
