"""Have Prefect call an address whenever a check of the data did not pass.

`python examples/call_when_quality_fails.py https://example.com/hook`, where `PREFECT_API_URL` names
the server (`agentruns env` prints it). Run it again with another address to change it.
"""

import sys
from uuid import UUID

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture
from pydantic import SecretStr

NAME = "the data did not pass"
#: Filled in by Prefect from the event; names of checks and numbers, no recorded text.
PAYLOAD = '{"run": "{{ event.payload.run_id }}", "found": {{ event.payload.found | tojson }}}'


def main(address: str) -> None:
    """Keep the address as a block, and the automation that calls it."""
    block_id = Webhook(method="POST", url=SecretStr(address)).save(
        "agentruns-quality", overwrite=True
    )
    if not _is_there():
        _call(block_id)
    print(f"Prefect calls {address} when the data does not pass.")


def _is_there() -> bool:
    try:
        return Automation.read(name=NAME) is not None
    except ValueError:
        return False


def _call(block_id: UUID) -> None:
    Automation(
        name=NAME,
        trigger=EventTrigger(
            expect={"agentruns.quality.failed"},
            match={"prefect.resource.id": "agentruns.quality"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block_id, payload=PAYLOAD)],
    ).create()


if __name__ == "__main__":
    main(sys.argv[1])
