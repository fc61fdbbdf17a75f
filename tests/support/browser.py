"""A real browser without a window, told what to do by the DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import pytest
import websocket

CHROMIUM = shutil.which("chromium")
_QUIET = ["gpu", "quic", "sync", "background-networking", "component-update"]
_OPTIONS = [
    *("--headless", "--no-sandbox", "--hide-scrollbars", "--no-first-run"),
    *("--remote-allow-origins=*", "--remote-debugging-port=0"),
    *(f"--disable-{name}" for name in _QUIET),
]


class Browser:
    """One page of a browser."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=30)
        self._number = 0
        self.requests: list[str] = []
        self.do("Network.enable")
        self.do("Page.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv())
            if told.get("method") == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            if told.get("id") == self._number:
                assert "error" not in told, told
                return dict(told["result"])

    def open(self, address: str) -> None:
        """Open a page and wait until it is there."""
        self.do("Page.navigate", url=address)
        self.until("document.readyState == 'complete' && location.href != 'about:blank'")

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript gives."""
        told = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"never became true: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key, and let it go."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        self.do("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def scheme(self, name: str) -> None:
        """Prefer light or dark."""
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def size(self, width: int, height: int) -> None:
        """Set the size of the window."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        shot = self.do("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; without one the test fails in CI, and is skipped elsewhere."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not installed")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Browser(_page(Path(folder)))
        finally:
            process.terminate()
            process.wait(20)


def _page(folder: Path) -> str:
    end = time.monotonic() + 30
    port = folder / "DevToolsActivePort"
    while not port.exists() or not port.read_text().strip():
        assert time.monotonic() < end, "the browser did not start"
        time.sleep(0.05)
    with urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json") as answer:
        pages = [one for one in json.load(answer) if one["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
