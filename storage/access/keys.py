"""One key of one agent, valid in all three stores."""

import re
import secrets
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from agentruns.models.values import AgentId

KEY_ID = r"key_[0-9a-f]{16}"

_SECRET_BYTES = 20
#: MinIO's longest access key.
_ACCESS_KEY_LENGTH = 20


def checked_key_id(value: str) -> str:
    """The key id.

    Raises:
        ValueError: when no key is called like this.
    """
    if not re.fullmatch(KEY_ID, value):
        raise ValueError(f"{value!r} is not the id of a key, such as key_0123456789abcdef")
    return value


def is_an_agents(postgres_url: str) -> bool:
    """Whether who connects like this is an agent, by one of its keys."""
    return re.fullmatch(KEY_ID, urlsplit(postgres_url).username or "") is not None


class AgentKey(BaseModel):
    """One set of credentials of an agent; several may be valid at once, so that keys can rotate."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_id: Annotated[str, AfterValidator(checked_key_id)]
    """The name in PostgreSQL and MongoDB, where every user may learn it."""
    agent_id: AgentId
    secret: SecretStr

    @property
    def minio_access_key(self) -> str:
        """The name in MinIO: as secret as the secret, since with it alone one can write there.

        CVE-2026-41145 is open in the last MinIO that anybody may use.
        """
        digest = sha256(f"minio {self.secret.get_secret_value()}".encode())
        return digest.hexdigest()[:_ACCESS_KEY_LENGTH]


def new_key(agent_id: str) -> AgentKey:
    """A key that no store knows yet."""
    return AgentKey(
        key_id=f"key_{secrets.token_hex(8)}",
        agent_id=agent_id,
        secret=SecretStr(secrets.token_hex(_SECRET_BYTES)),
    )
