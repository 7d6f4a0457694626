"""A headless Chromium, driven by its own protocol: what a page looks like, and what it loads."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None
)
#: As root, it has no sandbox; /dev/shm is small in containers.
_WORDS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update")


class Browser:
    """One tab, and every address that it asked for."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.asked: list[str] = []
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """What the browser answers to a command of its protocol."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": given}))
        while True:
            told = self._hear(60)
            if told.get("id") == self._number:
                assert "error" not in told, told
                return dict(told["result"])

    def size(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Be a window of this size, and like dark colours."""
        about = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **about)
        likes = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=likes)

    def open(self, address: str, seconds: float = 0.5) -> None:
        """Go to a page, and give what it loads some time."""
        self.asked.clear()
        self.call("Page.navigate", url=address)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._hear(left)

    def value(self, script: str) -> Any:
        """What an expression is on the page."""
        return self.call("Runtime.evaluate", expression=script)["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def printed(self) -> bytes:
        """The page on paper, as a PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def _hear(self, seconds: float) -> dict[str, Any]:
        try:
            told = json.loads(self._connection.recv(timeout=seconds))
        except TimeoutError:
            return {}
        if told.get("method") == "Network.requestWillBeSent":
            self.asked.append(told["params"]["request"]["url"])
        return dict(told)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser of its own; the test is skipped where none is on the machine."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = [
            CHROMIUM,
            *_WORDS,
            *_QUIET,
            f"--user-data-dir={folder}",
            "--remote-debugging-port=0",
        ]
        process = subprocess.Popen([*words, "about:blank"], stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(folder)), max_size=None) as connection:
                yield Browser(connection)
        finally:
            process.kill()
            process.wait()


def _address(folder: Path) -> str:
    """Where the first tab listens, which the browser writes down once it does."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (file := folder / "DevToolsActivePort").exists() and (port := file.read_text().split()):
            with urlopen(f"http://127.0.0.1:{port[0]}/json/list") as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            if tabs:
                return str(tabs[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    pytest.fail("Chromium does not listen")
