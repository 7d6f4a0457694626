"""Which environment a store belongs to, and whether that is the one that was meant."""

from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import Field, ValidationError

from agentruns.models import utcnow
from agentruns.models.values import Record, UtcTime
from storage.errors import AnotherEnvironment
from storage.settings import Settings


class Marker(Record):
    """What the three stores of one installation say of themselves, all the same."""

    environment: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}\z")]
    """Such as `dev` or `prod`."""
    installation: UUID
    """Made once, so that two installations of one environment differ, too."""
    marked_at: UtcTime = Field(default_factory=utcnow)


class Guard(NamedTuple):
    """Whom credentials are for; they open no store that says it belongs to others."""

    environment: str
    installation: UUID | None = None
    """Only known of keys that were made since stores have markers."""

    def check(self, store: str, marker: Marker | None) -> None:
        """Raise where a store belongs to others; one without a marker belongs to anybody.

        Raises:
            AnotherEnvironment: which names both, and says what to do.
        """
        if marker is None:
            return
        if marker.environment != self.environment:
            raise AnotherEnvironment(
                f"{store} belongs to the environment '{marker.environment}', and these credentials "
                f"to '{self.environment}': correct the addresses or, if these stores are meant, "
                f"set AGENTRUNS_ENVIRONMENT={marker.environment}; 'agentruns environment show' "
                "tells what each store says."
            )
        if self.installation and marker.installation != self.installation:
            raise AnotherEnvironment(
                f"{store} belongs to another installation ('{marker.environment}', "
                f"{marker.installation}) than this key ('{self.environment}', "
                f"{self.installation}): correct the addresses, or bring a key of these stores; "
                "'agentruns agents rotate' makes one."
            )


def guard_of(settings: Settings) -> Guard:
    """Whom the credentials in these settings are for."""
    return Guard(settings.agentruns_environment, settings.agentruns_installation)


def told(store: str, values: object) -> Marker:
    """The marker that a store keeps.

    Raises:
        AnotherEnvironment: when what it keeps cannot be read as one.
    """
    try:
        return Marker.model_validate(values)
    except ValidationError:
        raise AnotherEnvironment(
            f"The marker of {store} cannot be read: nobody knows to which environment it belongs. "
            "The operator writes it again with 'agentruns environment set NAME --yes'."
        ) from None
