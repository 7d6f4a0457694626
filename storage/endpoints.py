"""How the address of an S3 server, and of its region, are written."""

import re
from typing import Annotated

from pydantic import AfterValidator

_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
#: A host with or without a port.
HOST = rf"([A-Za-z0-9_%][A-Za-z0-9._%-]*|\[[0-9A-Fa-f:]+\])(:{_PORT})?"


def _endpoint(value: str) -> str:
    if not re.fullmatch(HOST, value):
        raise ValueError(
            "it must be host:port, without http:// (the setting of the same beginning with "
            "_SECURE says whether to use https)"
        )
    return value


def _region(value: str) -> str:
    if not re.fullmatch("[A-Za-z0-9_-]+", value):
        raise ValueError("it must be a name such as us-east-1")
    return value


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Region = Annotated[str, AfterValidator(_region)]
