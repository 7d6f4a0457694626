"""What a delivery does for its spool besides delivering."""

import logging

from agentruns.spool import SessionFolder, SpoolError
from storage.delivery.state import DeliveryState

_LOGGER = logging.getLogger(__name__)


class Cleanup:
    """Ends the runs of recorders that are gone, and removes what has arrived."""

    def __init__(self, state: DeliveryState) -> None:
        self._state = state
        self._failed: set[str] = set()

    def run(self) -> None:
        """Clean up every session; one where that fails holds up no other."""
        for session in self._state.spool.sessions():
            try:
                self._clean(session)
            except SpoolError as error:
                self._warn(session, error)
        self._state.forget(self._is_gone)

    def _clean(self, session: SessionFolder) -> None:
        session.settle()
        segments = session.segments()
        if not segments or any(map(self._state.has_delivered, segments)):
            session.remove_delivered(self._state.ledger)
            for segment in segments:
                segment.close()

    def _warn(self, session: SessionFolder, error: SpoolError) -> None:
        if session.name not in self._failed:
            self._failed.add(session.name)
            _LOGGER.warning("The session %s cannot be cleaned up: %s", session.name, error)

    def _is_gone(self, segment: str) -> bool:
        return not (self._state.spool.sessions_folder / segment).exists()
