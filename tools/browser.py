"""Headless Chromium driven through its DevTools protocol, over a pipe: for pictures of reports and for tests of them.

Only what these need; no port is opened, and each browser has a profile of its own that goes with it.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_QUIET = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --hide-scrollbars --remote-debugging-pipe"
)
_TIMEOUT_S = 120.0


class Tab:
    """One tab; `events` are all messages that nobody asked for, in their order."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._to, self._from, self._rest, self._last = to_browser, from_browser, b"", 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._last += 1
        asked = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        message = json.dumps(asked).encode() + b"\0"
        while message:
            message = message[os.write(self._to, message) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self.events.append(answer)

    def open(self, page: Path, width: int = 1280, height: int = 1000, dark: bool = False, csp: bool = True) -> None:
        """Load a local page in a window of this size; `csp` off for tests that run a script in it."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.setBypassCSP", enabled=not csp)
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        self._until("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """What a script gives, as a plain value; promises are awaited."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", "the script failed"))
        return found["result"].get("value")

    def press(self, key: str, types: str = "") -> None:
        """Press a key that is named like its code, and what it types, if anything."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": {"Tab": 9, "Enter": 13, "ArrowRight": 39}[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=types, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def picture(self, area: dict[str, float] | None = None) -> bytes:
        """A PNG of the window, or of an area of the page (x, y, width and height in CSS pixels)."""
        clip = {"clip": area | {"scale": 1}, "captureBeyondViewport": True} if area else {}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of all events so far that have one of these names."""
        return [event["params"] for event in self.events if event.get("method") in methods]

    def _until(self, method: str) -> None:
        while not self.named(method):
            self.events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + _TIMEOUT_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            read = os.read(self._from, 1 << 20) if ready else b""
            if not read:
                raise TimeoutError("the browser does not answer")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def browser() -> Iterator[Tab]:
    """A tab in a browser of its own, which ends with it.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium on the PATH.
    """
    if CHROMIUM is None:
        raise FileNotFoundError("no Chromium on the PATH; on Debian: apt-get install chromium")
    # The browser reads from 3 and answers on 4; the ends lie higher here, so that none is overwritten.
    pipes = [*os.pipe(), *os.pipe()]
    its_in, to_browser, from_browser, its_out = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in pipes)
    for fd in pipes:
        os.close(fd)

    def connect() -> None:
        os.dup2(its_in, 3)
        os.dup2(its_out, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.Popen(
            [CHROMIUM, *_QUIET.split(), f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=connect,
        )  # fmt: skip
        os.close(its_in)
        os.close(its_out)
        try:
            yield Tab(to_browser, from_browser)
        finally:
            os.close(to_browser)
            os.close(from_browser)
            done.kill()
            done.wait()
