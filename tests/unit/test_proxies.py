"""The local servers are reached past any proxy."""

import pytest

from apps.proxies import past_proxies


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": ".inside"}, ".inside,127.0.0.1,localhost"),
        ({"no_proxy": ".inside"}, ".inside,127.0.0.1,localhost"),
        ({"NO_PROXY": "localhost"}, "localhost,127.0.0.1"),
    ],
)
def test_this_machine_is_added_to_what_no_proxy_serves(before: dict[str, str], after: str) -> None:
    assert past_proxies(before) == {"NO_PROXY": after, "no_proxy": after}
