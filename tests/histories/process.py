"""A deployer's process as the world sees it: it runs, is suspended, or was killed. All that it does passes here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import httpx

from providers.bluegreen.model import Answer
from providers.gates.routing import Prober
from providers.gates.store import Head, StateStore, StoreError
from tests.histories.faulty_calls import KINDS
from tests.histories.steps import Fault
from tests.histories.watch import done_by

T = TypeVar("T")


@dataclass
class Process:
    """What is done to one run's process from outside. ``calls``: how many it has made so far.

    A timer that runs out while it is suspended is noticed by what it does next, and that waits here.
    """

    who: int
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    calls: int = 0
    dead: bool = False
    breaks: dict[int, Fault] = field(default_factory=dict)
    kills: dict[int, bool] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    _awake: anyio.Event | None = None
    _counted: anyio.Event = field(default_factory=anyio.Event)

    @property
    def suspended(self) -> bool:
        return self._awake is not None

    def suspend(self) -> None:
        self._awake = self._awake or anyio.Event()

    def resume(self) -> None:
        if self._awake:
            self._awake.set()
        self._awake = None

    def kill(self) -> None:
        """Nothing that it sends from now on, as it unwinds, reaches anybody: a killed process does not unwind."""
        self.dead = True
        self.scope.cancel()
        self.resume()

    async def runs(self) -> bool:
        """Wait until the process runs; false where it was killed."""
        while self._awake is not None:
            await self._awake.wait()
        if self.dead:
            await anyio.lowlevel.checkpoint()
        return not self.dead

    def count(self) -> int:
        self.calls += 1
        self._counted.set()
        self._counted = anyio.Event()
        return self.calls

    async def counted(self) -> None:
        await self._counted.wait()


@dataclass(frozen=True)
class Line(httpx.AsyncBaseTransport):
    """A process's connection to the API or to machines. Faults and kills at a call happen on the API's (``counts``)."""

    process: Process
    inner: httpx.AsyncBaseTransport
    counts: bool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        process = self.process
        await self._alive(request)
        number = process.count() if self.counts else 0
        if process.kills.get(number) is False:
            process.kill()
            await self._alive(request)
        answer = await self._answer(request, process.breaks.pop(number, None))
        if process.kills.get(number):
            process.kill()
        await self._alive(request)
        return answer

    async def _alive(self, request: httpx.Request) -> None:
        if not await self.process.runs():
            raise httpx.ConnectError("this process was killed", request=request)

    async def _answer(self, request: httpx.Request, fault: Fault | None) -> httpx.Response:
        if fault is None:
            return await self._send(request)
        self.process.met[fault] += 1
        kind = KINDS[fault]
        applied = await self._send(request) if kind.applied else None
        return kind.see(request, applied)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        with done_by(self.process.who):
            return await self.inner.handle_async_request(request)


@dataclass(frozen=True)
class ItsStore:
    """The store as one process reaches it."""

    process: Process
    inner: StateStore

    async def _alive(self) -> StateStore:
        if not await self.process.runs():
            raise StoreError("this process was killed")
        return self.inner

    async def read(self, key: str) -> bytes | None:
        return await (await self._alive()).read(key)

    async def head(self, key: str) -> Head | None:
        return await (await self._alive()).head(key)

    async def list(self, prefix: str) -> tuple[str, ...]:
        return await (await self._alive()).list(prefix)

    async def create(self, key: str, body: bytes) -> bool:
        return await (await self._alive()).create(key, body)


@dataclass(frozen=True)
class ItsProber:
    """The app from outside, as one process reaches it."""

    process: Process
    inner: Prober

    async def ask(self, region: str, machine_id: str = "") -> Answer:
        await self.process.runs()
        return await self.inner.ask(region, machine_id)
