"""Names of objects, page by page, read about as fast as the store gives them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, ParseError, fromstring

from minio import Minio

from storage.minio.objects import ObjectInfo

#: As many names as a store gives at most in one answer.
_PAGE = "1000"


class NamesPage(NamedTuple):
    """Some names in their order, and where the next ones are."""

    objects: list[ObjectInfo]
    token: str | None
    """What the store wants to hear for the next page; None when this is the last one."""


def every_name(ask: Callable[[str | None], NamesPage]) -> Iterator[ObjectInfo]:
    """All names, as they are consumed; `ask` gives the page at a token, or the first one."""
    page = ask(None)
    yield from page.objects
    # By its token and not by its last name: MinIO would look through the whole prefix again.
    while page.token:
        page = ask(page.token)
        yield from page.objects


def names(
    client: Minio, bucket: str, prefix: str, *, after: str | None = None, token: str | None = None
) -> NamesPage:
    """The names that begin like this, from where `token` points to, else after `after`."""
    asked = {"list-type": "2", "max-keys": _PAGE, "encoding-type": "url", "delimiter": ""}
    told = {"prefix": prefix, "start-after": after or "", "continuation-token": token or ""}
    asked |= {name: value for name, value in told.items() if value or name == "prefix"}
    # Its own listing takes three times as long over an answer as the store takes to give it.
    answer = client._execute("GET", bucket, query_params=asked)  # type: ignore[arg-type]  # noqa: SLF001 - see above
    return _read(fromstring(answer.data))  # noqa: S314 - as its own listing does


def _read(answer: Element) -> NamesPage:
    # "{namespace}ListBucketResult"; other servers than MinIO may use none.
    space = answer.tag.removesuffix("ListBucketResult")
    is_quoted = answer.findtext(f"{space}EncodingType") == "url"
    is_cut = answer.findtext(f"{space}IsTruncated") == "true"
    token = answer.findtext(f"{space}NextContinuationToken")
    if is_cut and not token:
        raise ParseError("more names, and nobody knows where")
    try:
        objects = [_info(found, space, is_quoted) for found in answer.iterfind(f"{space}Contents")]
    except (KeyError, ValueError):
        raise ParseError("an object without a name, a size or a time") from None
    return NamesPage(objects, token if is_cut else None)


def _info(found: Element, space: str, is_quoted: bool) -> ObjectInfo:
    told = {field.tag: field.text or "" for field in found}
    name = told[f"{space}Key"]
    return ObjectInfo(
        unquote_plus(name) if is_quoted else name,
        int(told[f"{space}Size"]),
        told[f"{space}ETag"].strip('"'),
        datetime.fromisoformat(told[f"{space}LastModified"]),
    )
