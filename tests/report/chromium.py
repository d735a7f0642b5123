"""A page in headless Chromium, driven over its developer tools' pipe with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

FOUND = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking",
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe",
)
PATIENCE = 60.0  # seconds
# the browser reads file descriptor 3 and writes 4
_EXEC = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 13); os.dup2(w, 14); os.dup2(13, 3); os.dup2(14, 4)"
_START = f"{_EXEC}; os.execv(sys.argv[3], sys.argv[3:])"


@dataclass
class Browser:
    """One tab. Commands wait for their answer; ``problems`` collects what the browser complains of meanwhile."""

    requests: BinaryIO
    answers: BinaryIO
    session: str = ""
    sent: int = 0
    pending: bytes = b""
    problems: list[dict[str, Any]] = field(default_factory=list)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, https://chromedevtools.github.io, and its result."""
        self.sent += 1
        message: dict[str, Any] = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.requests.write(json.dumps(message).encode() + b"\0")
        self.requests.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next event of that name."""
        while (answer := self._next()).get("method") != event:
            pass
        return answer["params"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.answers], [], [], PATIENCE)
            assert ready, f"the browser has said nothing for {PATIENCE} s"
            more = os.read(self.answers.fileno(), 1 << 20)
            assert more, "the browser has ended"
            self.pending += more
        message, _, self.pending = self.pending.partition(b"\0")
        found = json.loads(message)
        if found.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.problems.append(found["params"])
        return found

    def open(self, path: Path) -> None:
        """Load a file, and wait until it is there."""
        self.command("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("Page.loadEventFired")

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        found = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """A key, down and up."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowRight": 39, "ArrowDown": 40}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if (key, kind) == ("Enter", "keyDown") else {}
            code = codes[key]
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def point(self, x: float, y: float) -> None:
        """The mouse moves there."""
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        """The mouse clicks there."""
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def tap(self, x: float, y: float) -> None:
        """A finger touches there and leaves."""
        self.command("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def emulate(self, theme: str = "light", media: str = "", width: int = 1000, height: int = 900) -> None:
        """A theme of the system, a medium (``print``), a size of the window."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def screenshot(self, path: Path) -> None:
        """What the window shows."""
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))

    def print(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self.command("Page.printToPDF", printBackground=False)["data"])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, which ends with the context."""
    assert FOUND
    (there, requests), (answers, back) = os.pipe(), os.pipe()
    flags = [*" ".join(FLAGS).split(), f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _START, str(there), str(back), FOUND, *flags],
        pass_fds=(there, back),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(there)
    os.close(back)
    with os.fdopen(requests, "wb") as to, os.fdopen(answers, "rb") as back_from:
        found = Browser(to, back_from)
        try:
            target = found.command("Target.createTarget", url="about:blank")["targetId"]
            found.session = found.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            found.command("Page.enable")
            found.command("Runtime.enable")
            found.command("Log.enable")
            yield found
        finally:
            found.session = ""
            found.command("Browser.close")
            process.wait(timeout=30)
