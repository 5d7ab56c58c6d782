"""Faults of the Machines API, as data, and the network that does one of them at a chosen call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import httpx

from tests.bluegreen.virtual import Kit
from tests.faults.calls import KINDS, Call, Kind, Namer
from tests.faults.forks import Forks

HOST = "fly.test"
READ_TIMEOUT_S = 30.0


ALL: frozenset[Kind] = frozenset(KINDS)
LOOKS: frozenset[Kind] = frozenset({"read", "wait"})
NOWHERE: frozenset[Kind] = frozenset()


@dataclass(frozen=True)
class Fault:
    """What a call meets. ``applied``: the API has done it. ``answer`` makes of the API's own answer (``None`` where it
    was not asked) what arrives, or raises. ``of``: which calls it is played at; at others it makes no sense, or the
    client makes the same of it as of one that is played there (tests/faults/test_columns.py). ``short``: its column's
    heading. ``lies``: it says that a call was done that was not.
    """

    short: str
    name: str
    answer: Callable[[httpx.Request, httpx.Response | None], httpx.Response]
    applied: bool = False
    of: frozenset[Kind] = ALL
    lies: bool = False


Answer = Callable[[httpx.Request, httpx.Response | None], httpx.Response]


def _status(status: int, **headers: str) -> Answer:
    headers = {"fly-request-id": "01INJECTED"} | headers
    return lambda request, real: httpx.Response(status, json={"error": "injected"}, headers=headers)


def _raises(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request, real: httpx.Response | None) -> httpx.Response:
        raise error("injected", request=request)

    return answer


def _is_list(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path.endswith("/machines")


def _empty(request: httpx.Request, real: httpx.Response | None) -> httpx.Response:
    return httpx.Response(200, json=[] if _is_list(request) else {})


def _truncated(request: httpx.Request, real: httpx.Response | None) -> httpx.Response:
    assert real is not None
    return httpx.Response(real.status_code, content=real.content[: len(real.content) // 2] or b"{")


def _wrongly_typed(request: httpx.Request, real: httpx.Response | None) -> httpx.Response:
    """A list where an object belongs, and the other way round."""
    return httpx.Response(200, json={"machines": "none"} if _is_list(request) else [{"id": 7}])


FAULTS = (
    Fault("500", "500", _status(500)),
    Fault("500+", "500, applied", _status(500), applied=True, of=frozenset({"write"})),
    Fault("408", "408 to a wait; to others as 500", _status(408), of=frozenset({"wait"})),
    Fault("408+", "408, applied: as 500+", _status(408), applied=True, of=NOWHERE),
    Fault("429", "429", _status(429)),
    Fault("429r", "429 with Retry-After: as 429", _status(429, **{"retry-after": "3"}), of=NOWHERE),
    Fault("403", "403", _status(403)),
    Fault("404", "404", _status(404)),
    Fault("refu", "connection refused", _raises(httpx.ConnectError)),
    Fault("rst", "reset before it was sent: as 500, or cut+", _raises(httpx.WriteError), of=NOWHERE),
    Fault("rst+", "reset, applied: as 500+, or cut+", _raises(httpx.ReadError), applied=True, of=NOWHERE),
    Fault("tim+", "read timeout, applied", _raises(httpx.ReadTimeout), applied=True),
    Fault("cut+", "truncated JSON; of a write as 500+", _truncated, applied=True, of=LOOKS),
    Fault("typ+", "wrongly typed JSON: as cut+", _wrongly_typed, applied=True, of=NOWHERE),
    Fault("stal", "the previous answer to the same read, else an empty one", _empty, of=LOOKS),
    Fault("none", "200 and nothing in it, not applied", _empty, lies=True),
    Fault("redi", "redirect to another host", _status(302, location="http://elsewhere.test/v1/apps")),
)
PLAYED = tuple(fault for fault in FAULTS if fault.of)
"""Those that have a column."""
STALE = next(fault for fault in FAULTS if fault.short == "stal")


@dataclass(frozen=True)
class Strike:
    """One fault at one call: this once, or at every call of that method and path from there on."""

    call: Call
    fault: Fault
    for_ever: bool = False

    @property
    def is_lie(self) -> bool:
        """A write that is said to be done and is not: only the next run's look can tell, which does it."""
        return self.fault.lies and not self.call.reads


@dataclass(frozen=True)
class Kill:
    """The deployer's end: before a call is sent, or ``after`` it was, without its answer."""

    call: Call
    after: bool


@dataclass
class Network(httpx.AsyncBaseTransport):
    """The API as a deployer meets it. ``calls`` are all that were made; players edit at each of them.

    ``forks``: at each call, what this process meets from there on. ``killed`` ends the deployer.
    """

    inner: httpx.AsyncBaseTransport
    kit: Kit
    strike: Strike | None = None
    forks: Forks | None = None
    killed: anyio.CancelScope | None = None
    calls: list[Call] = field(default_factory=list)
    struck: int = 0
    _target: tuple[str, str] | None = None
    _previous: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._namer = Namer(self.kit)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == HOST, f"a call to {request.url.host}"
        call = self._namer.name(request)
        self.calls.append(call)
        self.kit.edit_all()
        met = self.forks.meet(call) if self.forks else None
        if isinstance(met, Kill):
            await self._kill(met, request)
        self.strike = met if isinstance(met, Strike) else self.strike
        fault = self._strikes(call, request)
        if fault is None:
            return await self._pass_on(request)
        self.struck += 1
        real = await self._pass_on(request) if fault.applied else None
        if fault.short == "tim+":
            await anyio.sleep(READ_TIMEOUT_S)
        if fault is STALE and request.url.path in self._previous:
            return httpx.Response(200, content=self._previous[request.url.path])
        return fault.answer(request, real)

    def _strikes(self, call: Call, request: httpx.Request) -> Fault | None:
        if self.strike is None:
            return None
        where = (request.method, request.url.path)
        if call == self.strike.call:
            self._target = where
            return self.strike.fault
        return self.strike.fault if self.strike.for_ever and where == self._target else None

    async def _pass_on(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        if request.method == "GET" and response.is_success and not self._target:
            self._previous[request.url.path] = content
        return response

    async def _kill(self, kill: Kill, request: httpx.Request) -> None:
        assert self.killed is not None
        if kill.after:
            await self.inner.handle_async_request(request)
        self.killed.cancel()
        await anyio.lowlevel.checkpoint()
