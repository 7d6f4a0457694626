"""Keeping what is on this machine from a proxy that leads out of it."""

from collections.abc import Mapping


def past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that let clients reach the local servers themselves, others as before."""
    named = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    known = [name for name in named.split(",") if name]
    exempt = ",".join(dict.fromkeys([*known, "127.0.0.1", "localhost"]))
    return {"NO_PROXY": exempt, "no_proxy": exempt}
