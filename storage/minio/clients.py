"""The connection to the object store, and the signer of its URLs."""

import os
from pathlib import Path

import certifi
import urllib3
from minio import Minio

from storage.settings import Settings

#: The client's own default is five minutes for each of them, six times over.
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0


def client(settings: Settings) -> Minio:
    """A client of the object store; it connects with its first request."""
    return Minio(
        settings.required("minio_endpoint"),
        access_key=settings.required("minio_access_key"),
        secret_key=settings.required("minio_secret_key"),
        secure=settings.minio_secure,
        region=settings.minio_region,
        http_client=pool(settings.minio_ca_file),
    )


def signer(settings: Settings) -> Minio:
    """Signs for the address that browsers reach; with the region given it never connects."""
    return Minio(
        settings.minio_public_endpoint or settings.required("minio_endpoint"),
        access_key=settings.signing_key,
        secret_key=settings.signing_secret,
        secure=settings.public_secure,
        region=settings.minio_region,
    )


def pool(ca_file: Path | None) -> urllib3.PoolManager:
    """Connections with deadlines, to servers whose certificate verifies."""
    authorities = ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        maxsize=16,
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(authorities),
        # Repeated in one place, by `retried`; both together would wait three times over.
        retries=False,
    )
