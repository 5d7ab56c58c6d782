"""A real browser, told what to do over its own debugging protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
import stamina
from websockets.sync.client import ClientConnection, connect

from demo.local.process import bind_to_this_process
from providers.ci import in_ci

OPTIONS = (
    "--headless",
    "--no-sandbox",  # the page is ours, and containers allow none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
PATIENCE_S = 30.0


@dataclass
class Page:
    """One tab. ``events`` is all that the browser has told of it; ``answer`` fails on what the browser refuses."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told: dict[str, Any] = json.loads(self.socket.recv(timeout=PATIENCE_S))
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self.events.append(told)

    def open(self, path: Path, *, scheme: str, width: int = 1200, height: int = 900) -> None:
        """Show a file, as somebody does who prefers this colour scheme."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.answer(f"{domain}.enable")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.answer("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.answer("Emulation.setDeviceMetricsOverride", **size)
        self.events.clear()
        self.answer("Page.navigate", url=path.resolve().as_uri())
        while not self.told("Page.loadEventFired"):
            self.events.append(json.loads(self.socket.recv(timeout=PATIENCE_S)))

    def told(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def evaluate(self, expression: str) -> Any:
        done = self.answer("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def screenshot(self, path: Path) -> None:
        shot = self.answer("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(program: Path, home: Path) -> Iterator[Page]:
    """One browser with one tab, which ends with the block."""
    argv = [str(program), *OPTIONS, f"--user-data-dir={home / 'profile'}", "about:blank"]
    log = home / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            bind_to_this_process(argv),
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as process,
    ):
        try:
            with connect(_address(process, home / "profile", log), max_size=None) as socket:
                target = Page(socket).answer("Target.createTarget", url="about:blank")["targetId"]
                address = f"ws://{socket.remote_address[0]}:{socket.remote_address[1]}"
                with connect(f"{address}/devtools/page/{target}", max_size=None) as tab:
                    yield Page(tab)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # Debian's browser is a script, and the browser its child


def no_browser(why: str) -> NoReturn:
    """What becomes of a test without one: on somebody's machine it is skipped; CI, which would hide that, fails."""
    if in_ci():
        pytest.fail(f"no browser in CI: {why}", pytrace=False)
    pytest.skip(f"no browser: {why}")


def _address(process: subprocess.Popen[bytes], profile: Path, log: Path) -> str:
    """The browser writes its port, and the path of its own socket, into a file once it listens."""
    written = profile / "DevToolsActivePort"
    for attempt in stamina.retry_context(
        on=FileNotFoundError, attempts=None, timeout=PATIENCE_S, wait_max=0.1
    ):
        with attempt:
            assert process.poll() is None, f"the browser ended: {log.read_text(errors='replace')}"
            lines = written.read_text().splitlines()
            if len(lines) < 2:
                raise FileNotFoundError(written)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
