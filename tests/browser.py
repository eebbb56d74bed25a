"""A headless Chromium, spoken to through two pipes: what a page asks for, says and looks like.

No driver has to be installed: the program's own protocol of its developer tools is a line of JSON
each way. Tests that need it are skipped where no Chromium is installed.
"""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S = 60.0


def find_chromium() -> str:
    """The program; skips the test where there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")


@dataclass
class Seen:
    """What one visit of a page was: requests, and whatever went to the console or was refused."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Browser:
    """One tab. Every command waits for its answer; events of the page are kept on the way."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self.process, self._write, self._read = process, write, read
        self._number, self._rest, self._session = 0, b"", ""
        self.seen = Seen()
        self._is_loaded = False
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """The answer to a command; `AssertionError` with its fault where it fails."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self._take(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._read, 1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _take(self, event: dict[str, Any]) -> None:
        method, what = event.get("method", ""), event.get("params", {})
        if method == "Page.loadEventFired":
            self._is_loaded = True
        elif method == "Network.requestWillBeSent":
            self.seen.requests.append(what["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.seen.complaints.append(str(what["exceptionDetails"].get("text")))
        elif method == "Runtime.consoleAPICalled":
            self.seen.complaints.append(f"{what['type']}: {what['args']}")
        elif method == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.seen.complaints.append(what["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.seen.complaints.append(f"a dialog: {what['message']}")

    def resize(self, *, width: int, is_dark: bool = False, height: int = 900) -> None:
        """Be a window of a width in pixels, in light or in dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def visit(self, url: str, *, width: int, is_dark: bool = False, height: int = 900) -> Seen:
        """Open a page at a width in pixels, in light or in dark, and wait until it is loaded."""
        self.resize(width=width, is_dark=is_dark, height=height)
        self.seen, self._is_loaded = Seen(), False
        self.ask("Page.navigate", url=url)
        until = time.monotonic() + _PATIENCE_S
        while not self._is_loaded:
            assert time.monotonic() < until, f"{url} was not loaded"
            self._take(self._next())
        self.evaluate("document.fonts.ready.then(() => true)")
        return self.seen

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        answer = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path: Path, *, is_whole: bool = True) -> Path:
        """The whole page as PNG, however high it is, or what the window shows of it."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=is_whole)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


@contextmanager
def opened(folder: Path) -> Iterator[Browser]:
    """A browser whose profile lies in a folder, ended with the block."""
    program = find_chromium()
    to_browser, from_browser = os.pipe(), os.pipe()
    # The sandbox needs rights that containers lack; the pages are our own.
    options = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--autoplay-policy=user-gesture-required", "--hide-scrollbars",
        f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank",
    ]  # fmt: skip
    # The browser reads its commands from 3 and writes to 4.
    ends = to_browser[0], from_browser[1]
    connected = f'exec "$0" "$@" 3<&{ends[0]} 4>&{ends[1]}'
    process = subprocess.Popen(
        ["bash", "-c", connected, program, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=ends,
    )  # fmt: skip
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Browser(process, to_browser[1], from_browser[0])
    finally:
        process.terminate()
        process.wait(30)
        os.close(to_browser[1])
        os.close(from_browser[0])
