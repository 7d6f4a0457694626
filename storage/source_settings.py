"""Where the buckets are from which old runs are read, and who we are there."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from storage.endpoints import Endpoint, Region

_NEEDED = ("endpoint", "access_key", "secret_key")


class SourceSettings(BaseSettings):
    """An S3 server that is a source of migrations, and not one of our stores."""

    agentruns_source_s3_endpoint: Endpoint | None = None
    agentruns_source_s3_access_key: SecretStr | None = None
    """A key that may list and read the source; to move it away it needs more."""
    agentruns_source_s3_secret_key: SecretStr | None = None
    agentruns_source_s3_secure: bool = True
    agentruns_source_s3_region: Region = "us-east-1"
    agentruns_source_s3_ca_file: Path | None = None
    """Who signs the server's certificate, where the machine's own authorities do not."""

    def missing_for_source(self) -> list[str]:
        """The settings without which no bucket can be read, by their names."""
        names = [f"agentruns_source_s3_{name}" for name in _NEEDED]
        return [name.upper() for name in names if getattr(self, name) is None]
