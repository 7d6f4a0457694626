"""Objects read to the end: all, a sample, or a part at a time until every one was read."""

from storage.deep.models import Pass, Scope, scope_of
from storage.deep.reading import DeepReading
from storage.deep.store import DeepStore

__all__ = ["DeepReading", "DeepStore", "Pass", "Scope", "scope_of"]
