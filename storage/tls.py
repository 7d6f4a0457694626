"""TLS to PostgreSQL and MongoDB, told in their URLs, so that whoever gets a URL verifies, too.

An address beyond this machine is reached with a verified certificate unless its URL says
otherwise; a CA file means verification everywhere, and no URL may ask for less beside it.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from storage.errors import SettingsError

#: What `libpq` calls full verification: the chain and the host's name.
_FULL = "verify-full"
#: Options of MongoDB that switch a part of the verification off.
_CARELESS = ("tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames")


class Files(NamedTuple):
    """Where the files of one store lie, as its settings name them."""

    store: str
    """`POSTGRES` or `MONGODB`, as settings begin."""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Refuse a file that cannot be read, before a driver says so in words of its own.

        Raises:
            SettingsError: which names the setting.
        """
        for name, path in zip(("CA", "CERTIFICATE", "KEY"), self[1:], strict=True):
            check_readable(f"{self.store}_{name}_FILE", path)


def check_readable(setting: str, path: Path | None) -> None:
    """Refuse a file that cannot be read.

    Raises:
        SettingsError: which names the setting.
    """
    if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
        raise SettingsError(f"{setting} cannot be read: {path} is no file of yours.")


def secured_postgres(url: str, files: Files) -> str:
    """The URL of a PostgreSQL database with what its TLS takes.

    Raises:
        SettingsError: when it asks for less than its CA file means.
    """
    files.check()
    given = _options(url)
    if files.ca and given.get("sslmode", _FULL) != _FULL:
        raise SettingsError(
            f"POSTGRES_URL asks for sslmode={given['sslmode']}, and POSTGRES_CA_FILE for a "
            "verified certificate: leave one of them out."
        )
    added = {}
    if "sslmode" not in given and (files.ca or not _is_local(url, given)):
        added["sslmode"] = _FULL
    if files.ca or added:
        added["sslrootcert"] = str(files.ca or given.get("sslrootcert", "system"))
    if files.certificate:
        added["sslcert"] = str(files.certificate)
    if files.key:
        added["sslkey"] = str(files.key)
    return _with_options(url, added)


def secured_mongodb(url: str, files: Files) -> str:
    """The URL of a MongoDB cluster with what its TLS takes.

    Raises:
        SettingsError: when it asks for less than its CA file means.
    """
    files.check()
    given = {name.lower(): value for name, value in _options(url).items()}
    told = given.get("tls", given.get("ssl"))
    careless = [name for name in _CARELESS if given.get(name.lower()) == "true"]
    if files.ca and (told == "false" or careless):
        raise SettingsError(
            f"MONGODB_URL asks for {careless[0] if careless else 'tls'}="
            f"{'true' if careless else 'false'}, and MONGODB_CA_FILE for a verified certificate: "
            "leave one of them out."
        )
    added = {}
    # With `+srv`, the driver takes TLS by itself.
    is_srv = url.startswith("mongodb+srv:")
    if told is None and not is_srv and (files.ca or files.certificate or not _is_local(url, {})):
        added["tls"] = "true"
    if files.ca:
        added["tlsCAFile"] = str(files.ca)
    if files.certificate:
        added["tlsCertificateKeyFile"] = str(files.certificate)
    return _with_options(url, added)


def _options(url: str) -> dict[str, str]:
    return dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))


def _with_options(url: str, added: Mapping[str, str]) -> str:
    if not added:
        return url
    place, _, query = url.partition("?")
    # MongoDB wants a slash before the options.
    place = place if "/" in place.partition("://")[2] else f"{place}/"
    # What the user wrote stays as written, but for what is told anew.
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in added]
    # Spaces as %20: libpq reads no plus sign as one.
    return f"{place}?{'&'.join([*kept, urlencode(added, quote_via=quote)])}"


def _is_local(url: str, options: Mapping[str, str]) -> bool:
    """Whether every host of the URL is this machine, where nobody listens in between."""
    named = options.get("hostaddr") or options.get("host") or _place(url)
    return all(map(_is_this_machine, unquote(named).split(",")))


def _place(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        # Malformed, which the driver's own check tells better.
        return ""


def _is_this_machine(host: str) -> bool:
    bare = host.partition("]")[0][1:] if host.startswith("[") else host
    name = bare if bare.count(":") > 1 else bare.partition(":")[0]
    return name in {"", "localhost"} or name.startswith(("/", "@")) or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        # A name, whatever it begins with.
        return False
