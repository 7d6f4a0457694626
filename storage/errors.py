"""What can go wrong with a store.

StorageError
├── StoreUnavailable   trying again may work
│   └── NotLetInYet    one agent has no key before all stores are there
├── AccessDenied       a person has to change a right or a password
│   ├── AgentDeleted   the agent was deleted for good, and its records are refused for good
│   └── AnotherEnvironment  these credentials are not meant for this store
├── RecordRejected     the record itself is refused, for good
├── RecordNotFound     there is no such record
├── SchemaMismatch     the database and this code are of different versions
├── SettingsError      a setting is missing or malformed
├── DeliveryRunning    another delivery is at work on the same spool
├── MigrationRunning   another run is at work on the same migration
├── DeletionRunning    another process is at work on the same deletion
├── TaskHeld           a task is held, and nothing deletes it until it is released
├── QualityRunning     another check is at work
├── RepairRunning      another repair is at work
├── TooMuchAside       a repair would take so much aside that these may be the wrong stores
└── CheckFaulty        a check of the data could not be asked, and says nothing about the data
"""


class StorageError(Exception):
    """Something went wrong with a store; the message is for people and carries no secret."""


class StoreUnavailable(StorageError):
    """A store could not be reached or did not answer in time. Trying again may work."""


class NotLetInYet(StoreUnavailable):
    """An agent gets its key once every store can be reached; others need not wait for it."""


class AccessDenied(StorageError):
    """A store knows us and refuses, or does not know us. Trying again does not help."""


class AgentDeleted(AccessDenied):
    """The agent was deleted for good: no store takes what it recorded before."""


class AnotherEnvironment(AccessDenied):
    """A store says that it belongs to another environment or installation than our credentials."""


class RecordRejected(StorageError):
    """A store will never take this record; the message says why."""


class RecordNotFound(StorageError):
    """There is no record with this id."""


class SchemaMismatch(StorageError):
    """The database's schema is newer or older than this code."""


class SettingsError(StorageError):
    """A setting is missing or malformed; the message names it."""


class DeliveryRunning(StorageError):
    """Another delivery is at work on the same spool, and does what is to be done."""


class MigrationRunning(StorageError):
    """Another run is at work on the same migration, and does what is to be done."""


class DeletionRunning(StorageError):
    """Another process is at work on the same deletion, and does what is to be done."""


class TaskHeld(StorageError):
    """A task is held, and nothing deletes it until the operator releases it."""


class QualityRunning(StorageError):
    """Another check of the data is at work, and does what is to be done."""


class RepairRunning(StorageError):
    """Another repair is at work, and does what is to be done."""


class TooMuchAside(StorageError):
    """A repair would take so much aside that its stores may not belong together."""


class CheckFaulty(StorageError):
    """A check of the data is no check, or could not be asked; the data may be good or bad."""
