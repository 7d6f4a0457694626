"""Users of MinIO: one for each key of an agent, one that signs for the frontend."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException

from storage.access.keys import AgentKey, checked_key_id
from storage.access.matrix import rights
from storage.minio.clients import pool
from storage.minio.errors import admin_code, translated
from storage.retries import retried
from storage.settings import Settings

FRONTEND = "agentruns-frontend"

_NO_SUCH = frozenset({"XMinioAdminNoSuchUser", "XMinioAdminNoSuchPolicy"})


class MinioAccess:
    """Gives and takes rights, as the administrator; all of it can be repeated."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.required("minio_endpoint")
        self._admin = _admin(settings)

    @retried
    def grant(self, key: AgentKey, *, append_only: bool = False) -> None:
        """Let this key to its agent's objects."""
        policy = _rights_of(key.agent_id, append_only=append_only)
        secret = key.secret.get_secret_value()
        self._ensure(_policy(key.key_id), policy, key.minio_access_key, secret)

    @retried
    def change(self, agent_id: str, key_id: str, *, append_only: bool) -> None:
        """Give a key other rights, from its next request on."""
        policy = _policy(key_id)
        with translated(self._address):
            # A key that was cut off, or taken back, has no user here, and needs no policy.
            if self._users(policy):
                self._admin.policy_add(policy, policy=_rights_of(agent_id, append_only=append_only))

    @retried
    def ensure_frontend(self, access_key: str, secret: str) -> None:
        """Let this user, and no other, get screenshots; URLs that another signed end with it."""
        self._ensure(FRONTEND, rights("minio-frontend"), access_key, secret)
        with translated(self._address):
            self._remove_users(set(self._users(FRONTEND)) - {access_key})

    @retried
    def revoke(self, key_id: str) -> None:
        """Shut this key out at once; what it signed opens nothing any more."""
        policy = _policy(key_id)
        with translated(self._address):
            self._remove_users(set(self._users(policy)))
            with _missing_is_fine():
                self._admin.policy_remove(policy)

    def _ensure(self, name: str, policy: dict[str, Any], access_key: str, secret: str) -> None:
        with translated(self._address):
            self._admin.policy_add(name, policy=policy)
            self._admin.user_add(access_key, secret)
            self._admin.policy_set(name, user=access_key)

    def _users(self, policy: str) -> list[str]:
        answer = json.loads(self._admin.get_policy_entities([], [], [policy]))
        mappings = answer.get("policyMappings") or []
        return [user for mapping in mappings for user in mapping.get("users") or []]

    def _remove_users(self, access_keys: set[str]) -> None:
        for access_key in access_keys:
            with _missing_is_fine():
                self._admin.user_remove(access_key)


def _rights_of(agent_id: str, *, append_only: bool) -> dict[str, Any]:
    return rights("minio-agent-append-only" if append_only else "minio-agent", agent_id)


def _policy(key_id: str) -> str:
    """The name of a key's policy, by which its user is found again: its own name is secret."""
    return f"agentruns-{checked_key_id(key_id)}"


@contextmanager
def _missing_is_fine() -> Iterator[None]:
    try:
        yield
    except MinioAdminException as error:
        if admin_code(error) not in _NO_SUCH:
            raise


def _admin(settings: Settings) -> MinioAdmin:
    access_key = settings.required("minio_access_key")
    secret_key = settings.required("minio_secret_key")
    # A region it must have: without one it fails when it is thrown away.
    return MinioAdmin(
        endpoint=settings.required("minio_endpoint"),
        region=settings.minio_region,
        credentials=StaticProvider(access_key, secret_key),
        secure=settings.minio_secure,
        http_client=pool(settings.minio_ca_file),
    )
