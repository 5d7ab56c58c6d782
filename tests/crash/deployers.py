"""The test's side of the deployers: begins runs, kills them, and hears how they ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from demo.local import CHECKOUT
from demo.local.process import bind_to_this_process
from demo.session import end_session
from providers.bluegreen.lock import LEASE_S
from providers.bluegreen.outcome import Outcome
from tests.crash.deployer import OUTCOME

if TYPE_CHECKING:
    from tests.crash.site import Lane, Site

LINE_CAP = 4 * 1024 * 1024


@dataclass(frozen=True)
class Ended:
    """How a run's process ended: with an outcome, a refusal to decide anything, or minus the signal that ended it."""

    code: int
    outcome: Outcome | None = None
    refused: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        return self.code < 0


@dataclass
class Deployers:
    """One run after another, each a process of its own; ``pid`` is the latest one's."""

    lane: Lane
    lease_s: float
    process: Process
    lines: BufferedByteReceiveStream
    pid: int = 0
    _pidfd: int = -1

    async def run(self, site: Site, image: str, goal: str = "deploy") -> Ended:
        """One run, from its beginning to its end."""
        await self.begin(site, image, goal)
        return await self.end()

    async def begin(self, site: Site, image: str, goal: str = "deploy") -> None:
        """Start one run, with what Pulumi's state would tell it."""
        order = {"goal": goal, "spec": site.spec(image), "lease_s": self.lease_s, **site.state}
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(order).encode() + b"\n")
        self.pid = (await self._line())["pid"]
        self.close()
        self._pidfd = os.pidfd_open(self.pid)

    async def end(self) -> Ended:
        """Wait for its end."""
        told = await self._line()
        outcome = told.get("outcome")
        assert told["code"] in (0, -signal.SIGKILL), "a deployer failed by itself; its stderr says how"
        return Ended(
            told["code"],
            OUTCOME.validate_python(outcome) if outcome else None,
            told.get("refused", ""),
            told.get("said", []),
        )

    async def kill(self) -> bool:
        """SIGKILL; it is dead when this returns, and nobody is there to be answered."""
        self.signal(signal.SIGKILL)
        await anyio.wait_readable(self._pidfd)
        return False

    def close(self) -> None:
        """Forget the last run."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def signal(self, number: signal.Signals) -> None:
        """Any other signal."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    async def _line(self) -> Any:
        return json.loads(await self.lines.receive_until(b"\n", LINE_CAP))


@asynccontextmanager
async def deployers(lane: Lane, lease_s: float = LEASE_S) -> AsyncIterator[Deployers]:
    """Deployers that use this lane, with such leases; all of them are gone when the block ends."""
    process = await anyio.open_process(
        bind_to_this_process([sys.executable, "-m", "tests.crash.deployer"]),
        cwd=CHECKOUT,
        env={**lane.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        start_new_session=True,
    )
    assert process.stdout is not None
    found = Deployers(lane, lease_s, process, BufferedByteReceiveStream(process.stdout))
    try:
        yield found
    finally:
        found.close()
        end_session(process.pid)
        with anyio.CancelScope(shield=True):
            await process.aclose()
