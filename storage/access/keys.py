"""The credentials of one agent: one name and one secret, the same in all three stores."""

import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from agentruns.models.values import AgentId

#: With its 20 characters it is as long as an access key of MinIO may be.
KEY_ID_PATTERN = r"^key_[0-9a-f]{16}\z"

KeyId = Annotated[str, Field(pattern=KEY_ID_PATTERN)]


class AgentKey(BaseModel):
    """One key; an agent may have several at once, so that one can replace another."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_id: KeyId
    """Random, so that it tells nothing about the agent to others who see the name."""
    agent_id: AgentId
    secret: SecretStr


def new_key(agent_id: str) -> AgentKey:
    """A key that no store knows yet."""
    return AgentKey(
        key_id=f"key_{secrets.token_hex(8)}",
        agent_id=agent_id,
        # Hexadecimal needs no quoting in a URL, a shell or a configuration file.
        secret=SecretStr(secrets.token_hex(20)),
    )
