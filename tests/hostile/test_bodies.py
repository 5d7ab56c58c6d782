"""Bodies without end and compressed bombs: what is read is bounded, whoever answers."""

from __future__ import annotations

import contextlib
import gzip
import resource as limits
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import httpx
import pytest

from providers.bluegreen.actions.draining_endpoint import DrainEndpoint
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import Answer
from providers.bluegreen.spec import RoutingProbe
from providers.bluegreen.spec_gates import Expect, HttpTest, RequestDrain
from providers.fly import FlyError, Machines, connect
from providers.fly.logs import Logs
from providers.gates.asking import ask
from providers.gates.output import Scrubber
from providers.gates.routing import HttpProber
from providers.tunnels import direct
from tests.bluegreen.worlds import cluster, spec

MIB = 1024 * 1024
MOST_READ = 40 * MIB
"""Of any body, before it is given up: the largest cap and what was on its way."""
ENDLESS = 100
"""MiB: a body of this length stands for one without end."""


@dataclass
class Body(httpx.AsyncByteStream):
    """A body that counts what was pulled of it."""

    chunk: bytes = b" " * MIB
    chunks: int = ENDLESS
    pulled: int = 0

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        self.chunks -= 1
        self.pulled += len(self.chunk)
        return self.chunk


@dataclass
class Hostile(httpx.AsyncBaseTransport):
    """Answers everything with this body."""

    body: Body
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, headers=self.headers, stream=self.body)


Reader = Callable[[Hostile], Awaitable[object]]


async def machines_api(hostile: Hostile) -> object:
    async with connect("token", "http://fly.test", transport=hostile) as api:
        api.attempts = 1
        return await Machines(api, "rooms").get("148e21ea7d5e38")


async def logs(hostile: Hostile) -> object:
    async with connect("token", "http://fly.test", transport=hostile) as api:
        return await Logs(api, "rooms").last_lines("148e21ea7d5e38")


async def drain_endpoint(hostile: Hostile) -> object:
    machine = cluster(spec(), 1, drain=RequestDrain(type="request"), private_ip="127.0.0.1")[0]
    async with direct() as tunnels, httpx.AsyncClient(transport=hostile) as http:
        return await DrainEndpoint(http, tunnels, machine, str, lambda call: None).status()


async def prober(hostile: Hostile) -> Answer:
    async with httpx.AsyncClient(transport=hostile) as http:
        probe = RoutingProbe(path="/version", machine_key="machine_id")
        return await HttpProber(http, "http://rooms.test", probe).ask("ams")


async def http_test(hostile: Hostile) -> object:
    test = HttpTest(type="http", name="smoke", path="/", expect=Expect(status=418))
    async with httpx.AsyncClient(transport=hostile) as http:
        return await ask(http, "http://rooms.test", test, scrubber=Scrubber(()))


READERS: dict[str, Reader] = {
    "machines API": machines_api,
    "logs": logs,
    "drain endpoint": drain_endpoint,
    "routing probe": prober,
    "http test": http_test,
}
REFUSED = (FlyError, NotYet, GateFailed)


async def refused(reader: Reader, hostile: Hostile) -> None:
    """It is no answer; a reader that has nobody to tell answers nothing."""
    with contextlib.suppress(*REFUSED):
        assert not await reader(hostile)


@pytest.mark.parametrize("status", [200, 422, 500])
@pytest.mark.parametrize("reader", READERS)
def test_a_body_without_end_is_not_read_to_its_end(reader: str, status: int) -> None:
    """A hundred megabytes are not pulled, whatever the status."""
    hostile = Hostile(Body(), status=status)
    anyio.run(refused, READERS[reader], hostile)
    assert hostile.body.pulled <= MOST_READ


def bomb(layers: int) -> bytes:
    """A few hundred bytes that hold a gigabyte in two layers, or 64 MiB in one."""
    packed = gzip.compress(b"\0" * (64 * MIB), 9)
    return gzip.compress(packed * 16, 9) if layers > 1 else packed


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("reader", READERS)
def test_a_compressed_body_is_not_unpacked_without_bound(reader: str, layers: int) -> None:
    """Nobody asked for one: the process grows by less than what is in it."""
    hostile = Hostile(Body(bomb(layers), chunks=1), {"content-encoding": ", ".join(["gzip"] * layers)})
    before = limits.getrusage(limits.RUSAGE_SELF).ru_maxrss
    anyio.run(refused, READERS[reader], hostile)
    grown_kib = limits.getrusage(limits.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib * 1024 < MOST_READ


def test_the_readers_find_what_they_are_to_find() -> None:
    """The positive control: a small right answer is read by the same way."""
    body = b'{"id": "148e21ea7d5e38", "state": "started", "machine_id": "148e21ea7d5e38"}'

    async def main() -> None:
        assert await machines_api(Hostile(Body(body, chunks=1)))
        assert (await prober(Hostile(Body(body, chunks=1)))).machine_id == "148e21ea7d5e38"
        assert await drain_endpoint(Hostile(Body(b'{"state": "serving"}', chunks=1)))

    anyio.run(main)
