"""The three stores of one installation: marked once, compared, renamed by the operator."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from storage.errors import AnotherEnvironment, StorageError
from storage.marker import Guard, Marker, guard_of
from storage.minio.marking import MarkedMinio
from storage.mongo.clusters import Clusters
from storage.mongo.marking import MarkedMongo
from storage.postgres.marking import MarkedPostgres
from storage.settings import Environment, Settings

#: A store that takes longer is away for now, and marked the next time.
_SECONDS = 3.0


class _Marked(Protocol):
    @property
    def name(self) -> str: ...
    def read(self) -> Marker | None: ...
    def keep(self, marker: Marker) -> None: ...
    def rename(self, marker: Marker) -> None: ...


class StoreMarker(NamedTuple):
    """What one store says of itself."""

    store: str
    marker: Marker | None
    trouble: StorageError | None = None
    """Why nobody knows."""


class Claimed(NamedTuple):
    """The marker of an installation, and the stores that do not have it yet, with the reason."""

    marker: Marker
    unmarked: dict[str, str]


class Installation:
    """The stores that these settings name: marked by their operator, read by anybody.

    With `as_owner`, PostgreSQL is marked by its owner, as the operator may have no login yet.
    """

    def __init__(self, settings: Settings, *, as_owner: bool = False) -> None:
        self._guard = guard_of(settings)
        url = settings.required("postgres_owner_url" if as_owner else "postgres_url")
        self._stores: list[_Marked] = [MarkedPostgres(url, _SECONDS)]
        self._stores += [*_clusters(settings), *_objects(settings)]

    def told(self) -> list[StoreMarker]:
        """What each store says; never raises."""
        return [_asked(store) for store in self._stores]

    def known(self) -> Marker | None:
        """What the first store says that says something; never raises."""
        return next((marker for store in self._stores if (marker := _asked(store).marker)), None)

    def compare(self) -> None:
        """Let nobody begin what cannot be undone in stores that do not belong together.

        Raises:
            AnotherEnvironment: when one of them belongs to others; one that is away says nothing.
        """
        self._refuse_others(self.told())

    def claim(self) -> Claimed:
        """Mark what has no marker yet; a store that is away, or not ours to mark, waits.

        PostgreSQL decides: of two who mark at once, the second takes the first one's marker.

        Raises:
            AnotherEnvironment: when one of them belongs to others; then none is marked.
            StorageError: when PostgreSQL can neither be marked nor read.
        """
        told = self.told()
        self._refuse_others(told)
        marker = self._decided(told)
        unmarked = {each.store: str(each.trouble) for each in told if each.trouble}
        missing = [
            store
            for store, each in zip(self._stores[1:], told[1:], strict=True)
            if not (each.marker or each.trouble)
        ]
        return Claimed(marker, unmarked | _each(missing, partial(_mark, marker)))

    def rename(self, environment: Environment) -> Claimed:
        """Let the stores belong to another environment; what was cut off is finished by a repeat.

        Raises:
            AnotherEnvironment: when they are not of one installation.
            StorageError: when PostgreSQL cannot be renamed.
        """
        known = _of_one_installation(self.told())
        wanted = Marker(environment=environment, installation=known or uuid4())
        decides, *others = self._stores
        decides.rename(wanted)
        marker = decides.read() or wanted
        return Claimed(marker, _each(others, lambda store: store.rename(marker)))

    def _refuse_others(self, told: Iterable[StoreMarker]) -> None:
        for store, marker, trouble in told:
            if isinstance(trouble, AnotherEnvironment):
                raise trouble
            self._guard.check(store, marker)
        _of_one_installation(told)

    def _decided(self, told: Sequence[StoreMarker]) -> Marker:
        """PostgreSQL's marker, made when it has none."""
        if told[0].trouble:
            raise told[0].trouble
        if told[0].marker:
            return told[0].marker
        known = next((each.marker for each in told if each.marker), None)
        decides = self._stores[0]
        decides.keep(known or Marker(environment=self._guard.environment, installation=uuid4()))
        (decided,) = [_asked(decides)]
        self._refuse_others([decided, *told[1:]])
        if decided.marker is None:
            raise decided.trouble or StorageError(f"{decides.name} does not keep its marker.")
        return decided.marker


def _clusters(settings: Settings) -> Iterable[_Marked]:
    for url in sorted(set(Clusters(settings).patterns().values())):
        yield MarkedMongo(url, _SECONDS)


def _objects(settings: Settings) -> Iterable[_Marked]:
    if settings.minio_endpoint and settings.minio_access_key and settings.minio_secret_key:
        yield MarkedMinio(settings)


def _asked(store: _Marked) -> StoreMarker:
    try:
        return StoreMarker(store.name, store.read())
    except StorageError as error:
        return StoreMarker(store.name, None, error)


def _mark(marker: Marker, store: _Marked) -> None:
    store.keep(marker)
    # Read again: others may have marked it meanwhile, beside a database of theirs.
    Guard(marker.environment, marker.installation).check(store.name, store.read())


def _each(stores: Iterable[_Marked], work: Callable[[_Marked], None]) -> dict[str, str]:
    """Do something to each store; gives those where it could not be done, with the reason."""
    failed = {}
    for store in stores:
        try:
            work(store)
        except AnotherEnvironment:
            raise
        except StorageError as error:
            failed[store.name] = str(error)
    return failed


def _of_one_installation(told: Iterable[StoreMarker]) -> UUID | None:
    known = {each.store: each.marker for each in told if each.marker}
    installations = {marker.installation for marker in known.values()}
    if len(installations) > 1:
        said = ", ".join(
            f"{store} to {marker.installation} ('{marker.environment}')"
            for store, marker in known.items()
        )
        raise AnotherEnvironment(
            f"These stores belong to different installations, {said}: correct the addresses, so "
            "that all of them are of one."
        )
    return next(iter(installations), None)
