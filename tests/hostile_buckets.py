"""An S3 server that lists and answers whatever it likes, on a port of this machine."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

Answer = Callable[[str], bytes]
_TIME = "Mon, 01 Jun 2026 10:00:00 GMT"
_PAGE = 1000


class HostileBucket(ThreadingHTTPServer):
    """Holds names that no file system would; `served` may say something else with each reading."""

    daemon_threads = True

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects = objects
        self.served: Answer = objects.__getitem__
        self.order: Callable[[list[str]], list[str]] = sorted
        self.minds_the_place = True
        self.tells_where_more_is = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HostileBucket

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        _, _, name = unquote(place.path).lstrip("/").partition("/")
        asked = parse_qs(place.query, keep_blank_values=True)
        if "list-type" in asked:
            self._answer(self._list(asked), "xml")
        else:
            self._object(name)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def _list(self, asked: dict[str, list[str]]) -> bytes:
        told = unquote(asked.get("continuation-token", [""])[0])
        after = told if self.server.minds_the_place else ""
        names = self.server.order([name for name in self.server.objects if name > after])[:_PAGE]
        rows = "".join(
            f"<Contents><Key>{quote(name)}</Key><LastModified>2026-06-01T10:00:00.000Z"
            f"</LastModified><ETag>{_etag(self.server.objects[name])}</ETag>"
            f"<Size>{len(self.server.objects[name])}</Size></Contents>"
            for name in names
        )
        # As some servers do: more is announced after a full page, and may be nothing.
        more = f"<NextContinuationToken>{quote(names[-1])}</NextContinuationToken>" if names else ""
        more = more if self.server.tells_where_more_is else ""
        return (
            "<ListBucketResult><Name>evil</Name><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(len(names) == _PAGE).lower()}</IsTruncated>{more}{rows}"
            "</ListBucketResult>"
        ).encode()

    def _object(self, name: str) -> None:
        if name not in self.server.objects:
            self._answer(b"<Error><Code>NoSuchKey</Code></Error>", "xml", 404)
            return
        self._answer(self.server.served(name), "octet-stream")

    def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        for header, value in {
            "Content-Type": f"application/{kind}",
            "Content-Length": str(len(body)),
            "ETag": f'"{_etag(body)}"',
            "Last-Modified": _TIME,
        }.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@contextmanager
def hostile_bucket(patch: pytest.MonkeyPatch, objects: dict[str, bytes]) -> Iterator[HostileBucket]:
    """The server, named by the environment as the source's."""
    server = HostileBucket(objects)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    told = {"ENDPOINT": f"127.0.0.1:{server.server_port}", "ACCESS_KEY": "x", "SECRET_KEY": "y"}
    for setting, value in (told | {"SECURE": "false"}).items():
        patch.setenv(f"AGENTRUNS_SOURCE_S3_{setting}", value)
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
