"""Short questions to servers that speak HTTP."""

import json
from base64 import b64encode
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from storage.errors import AccessDenied, StoreUnavailable

# A proxy of the user must not be asked for addresses of this machine.
_DIRECT = build_opener(ProxyHandler({}))


def answer_to(url: str, seconds: float, login: str = "", body: object = None) -> bytes:
    """What a server answers to a GET, or to a POST when there is a body.

    Raises:
        AccessDenied: when it does not accept the login.
        StoreUnavailable: when it does not answer, or not well.
    """
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["Content-Type"] = "application/json"
    request = Request(url, data=data, headers=headers)  # noqa: S310 - always http on 127.0.0.1
    try:
        with _DIRECT.open(request, timeout=seconds) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        error.close()
        if error.code in (401, 403):
            raise AccessDenied(f"{url} does not accept our credentials") from None
        raise StoreUnavailable(f"{url} answered {error.code}") from None
    except (OSError, HTTPException) as error:
        raise StoreUnavailable(f"{url} does not answer: {error}") from None
