"""Promises of the proxy when machines die, clients leave or misbehave, and nothing is there to route to."""

import errno
from collections.abc import AsyncIterator

import anyio
import h11
import httpx
import pytest
import trio.testing

from simulator.proxy.client import HEAD_BYTES
from tests.simulator.proxy_kit import (
    VIRTUAL_PATIENCE_SECONDS,
    WEBSOCKET_HEAD,
    Call,
    find_dead_target,
    leave,
    open_world,
    read_all,
    read_until,
    receive,
    run_machine,
)

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n"
# Time jumps when nobody has anything to do, after a moment for the kernel to deliver.
virtual_time = pytest.mark.parametrize(
    "anyio_backend",
    [("trio", {"clock": trio.testing.MockClock(autojump_threshold=0.05)})],
    ids=["trio-virtual"],
)


async def hang_up(call: Call) -> None:
    """Take the request, and end the connection without an answer."""


async def test_dead_machine_is_passed_over() -> None:
    """A machine that the routes still name, but that takes no connections, costs a client nothing."""
    dead = await find_dead_target("a")
    async with run_machine("b", region="iad") as alive, open_world() as world:
        await world.route(dead, alive)
        async with world.browse() as client:
            assert (await client.post("/", content=b"edit")).text == "b"
        outcomes = world.outcomes()
    assert outcomes == [("failed", "a"), ("routed", "b")]


async def test_machine_that_hangs_up_is_passed_over() -> None:
    """A request that is safe to repeat goes to another machine when the first gave no byte of an answer."""
    async with (
        run_machine("a", hang_up) as dying,
        run_machine("b", region="iad") as alive,
        open_world() as world,
    ):
        await world.route(dying, alive)
        async with world.browse() as client:
            assert (await client.get("/")).text == "b"
            assert (await client.put("/", content=b"edit")).text == "b"
        outcomes = world.outcomes()
    assert outcomes == [("failed", "a"), ("routed", "b")] * 2


async def test_unsafe_request_is_not_repeated() -> None:
    """A POST that a machine may have acted on is never sent to a second one."""
    async with (
        run_machine("a", hang_up) as dying,
        run_machine("b", region="iad") as alive,
        open_world() as world,
    ):
        await world.route(dying, alive)
        async with world.browse() as client:
            answer = await client.post("/", content=b"edit")
        outcomes = world.outcomes()
    assert answer.status_code == 502
    assert outcomes == [("failed", "a")]


async def test_broken_answer_is_a_bad_gateway() -> None:
    """What is not HTTP is not passed on, nor asked for twice."""

    async def babble(call: Call) -> None:
        await call.stream.send(b"\x00\x01\x02 what?\r\n\r\n")

    async with run_machine("a", babble) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            answer = await client.get("/")
        outcomes = world.outcomes()
    assert answer.status_code == 502
    assert outcomes == [("failed", "a")]


async def test_cut_answer_is_not_taken_for_whole() -> None:
    """When a machine dies within its answer, the client can tell that the answer is not whole."""

    async def die(call: Call) -> None:
        await call.send(
            h11.Response(status_code=200, headers=[("content-length", "9")]), h11.Data(data=b"half")
        )

    async with run_machine("a", die) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/")
        await world.until_record("closed", machine_id="a")


async def test_held_request_is_answered_as_soon_as_there_is_a_route() -> None:
    """With nothing to route to a request waits, and goes on with the first route."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route()
        answers: list[str] = []
        async with world.browse() as client, anyio.create_task_group() as tasks:

            async def ask() -> None:
                answers.append((await client.post("/", content=b"edit")).text)

            tasks.start_soon(ask)
            await world.until_record("route", outcome="held")
            await world.route(machine)
        outcomes = world.outcomes()
    assert answers == ["a"]
    assert outcomes == [("held", None), ("routed", "a")]


async def test_request_is_held_while_every_machine_is_dead() -> None:
    """When all machines that the routes name are dead, a request waits for the routes to change."""
    dead = await find_dead_target("a")
    async with run_machine("b") as machine, open_world() as world:
        await world.route(dead)
        async with await world.connect() as client:
            await client.send(GET)
            await world.until_record("route", outcome="held")
            await world.route(machine)
            await read_until(client, b"\r\n\r\nb")
        outcomes = world.outcomes()
    assert outcomes == [("failed", "a"), ("held", None), ("routed", "b")]


async def test_hold_ends_in_503() -> None:
    """Without a route until the end of the hold a request is refused, and the connection stays usable."""
    async with run_machine("a") as machine, open_world(hold=0.01) as world:
        await world.route()
        async with world.browse() as client:
            answer = await client.get("/")
            await world.route(machine)
            assert (await client.get("/")).text == "a"
        outcomes = world.outcomes()
    assert answer.status_code == 503
    assert "fly-request-id" in answer.headers
    assert outcomes == [("held", None), ("none", None), ("routed", "a")]


@virtual_time
async def test_hold_counts_once() -> None:
    """Changes of routes that bring no machine do not prolong the hold."""
    dead = await find_dead_target("a")
    async with open_world(hold=5.0) as world:
        await world.route()
        async with await world.connect() as client:
            began = anyio.current_time()
            await client.send(GET)
            await world.until_record("route", outcome="held")
            await anyio.sleep(3.0)  # virtual
            await world.route(dead)
            await world.until_record("route", outcome="failed")
            await read_until(client, b"503")
            assert anyio.current_time() - began == pytest.approx(5.0, abs=0.5)


@pytest.mark.parametrize("reset", [False, True])
async def test_leaving_client_frees_the_machine(reset: bool) -> None:
    """When a client leaves before the answer, by closing or by a reset, the machine's connection ends."""
    asked, freed = anyio.Event(), anyio.Event()

    async def wait(call: Call) -> None:
        asked.set()
        assert await receive(call.stream) == b""
        freed.set()

    async with run_machine("a", wait) as machine, open_world() as world:
        await world.route(machine)
        client = await world.connect()
        await client.send(GET)
        await asked.wait()
        await leave(client, reset=reset)
        with anyio.fail_after(10):
            await freed.wait()
        await world.until_record("closed", machine_id="a")


async def test_leaving_client_ends_a_streaming_answer() -> None:
    """A machine that streams without end is stopped when nobody listens any more."""
    freed = anyio.Event()

    async def stream(call: Call) -> None:
        await call.send(h11.Response(status_code=200, headers=[]))
        try:
            while True:
                await call.send(h11.Data(data=bytes(65_536)))
        except anyio.BrokenResourceError:
            freed.set()

    async with run_machine("a", stream) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(GET)
            await read_until(client, b"HTTP/1.1 200")
        with anyio.fail_after(10):
            await freed.wait()


async def test_leaving_client_ends_its_hold() -> None:
    """A request whose client has left is not brought to a machine that appears later."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route()
        client = await world.connect()
        await client.send(GET)
        await world.until_record("route", outcome="held")
        await leave(client, reset=True)
        async with await world.connect() as other:
            await other.send(GET)
            await world.signal.until(lambda: len(world.outcomes()) == 2)
            await world.route(machine)
            await read_until(other, b"\r\n\r\na")
        outcomes = world.outcomes()
    assert outcomes == [("held", None), ("held", None), ("routed", "a")]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\nBad Name: 1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: rooms.localhost\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nHost: rooms.localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\nX: " + bytes([97]) * 2 * HEAD_BYTES, b"431"),
        (b"CONNECT rooms.localhost:80 HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n", b"405"),
        (b"HEAD / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n", b"404"),
        (b"GET / HT", b"400"),
    ],
)
async def test_bad_request_is_refused(sent: bytes, status: bytes) -> None:
    """What is not a request that the proxy takes gets a 4xx (501 for an unknown coding), then the end."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(sent)
            await client.send_eof()
            answer = await read_all(client)
        outcomes = world.outcomes()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert outcomes == []


async def test_malformed_large_body_is_refused() -> None:
    """A streamed body that breaks the rules ends the request at the machine, and is refused at the client."""
    async with run_machine("a", reads_body=True) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(
                b"POST / HTTP/1.1\r\nHost: rooms.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            await client.send((b"10000\r\n" + bytes(0x10000) + b"\r\n") * 17 + b"zz\r\n")
            assert (await read_until(client, b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
        await world.until_idle()


@virtual_time
@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: roo", GET[:-2] + b"Content-Length: 9\r\n\r\nhalf"]
)
async def test_slow_request_is_refused(sent: bytes) -> None:
    """A request that does not arrive within its time is refused with 408."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(sent)
            answer = await read_until(client, b"did not arrive", VIRTUAL_PATIENCE_SECONDS)
    assert answer.startswith(b"HTTP/1.1 408")


@virtual_time
@pytest.mark.parametrize("sent", [b"", GET])
async def test_idle_connection_ends(sent: bytes) -> None:
    """A connection without a request ends after a while: a new one, and one that was kept."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            if sent:
                await client.send(sent)
                await read_until(client, b"\r\n\r\na")
            assert await read_all(client, VIRTUAL_PATIENCE_SECONDS) == b""


@virtual_time
async def test_client_that_stops_reading_is_left() -> None:
    """A client that asks for much and reads nothing holds no machine for ever."""

    async def flood(call: Call) -> None:
        await call.send(h11.Response(status_code=200, headers=[]))
        while True:
            await call.send(h11.Data(data=bytes(65_536)))

    async with run_machine("a", flood) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(GET)
            await world.signal.until(
                lambda: bool(world.history.read(kind="closed")), VIRTUAL_PATIENCE_SECONDS
            )


@virtual_time
async def test_full_process_serves_again_when_there_is_room() -> None:
    """When accepting fails for want of file descriptors, the proxy goes on as soon as it can."""
    full = OSError(errno.EMFILE, "Too many open files")
    async with run_machine("a") as machine, open_world(accept_errors=[full, full]) as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(GET)
            await read_until(client, b"\r\n\r\na")


async def produce(chunks: int) -> AsyncIterator[bytes]:
    """Some body."""
    for _ in range(chunks):
        yield bytes(65_536)


async def test_nothing_is_left_open() -> None:
    """After good and bad endings of many kinds, no connection and no task of the proxy's is left."""
    dead = await find_dead_target("c")
    machines = run_machine("a"), run_machine("b", hang_up, region="iad")
    async with machines[0] as good, machines[1] as bad, open_world() as world:
        await world.route(good, bad, dead)
        async with world.browse() as client:
            for edge in ("ams", "iad", "syd"):
                await client.get("/", headers={"x-sim-edge": edge})
                await client.post("/", headers={"x-sim-edge": edge}, content=produce(30))
        for sent in (GET, GET[:-2], b"\x00\r\n\r\n", WEBSOCKET_HEAD):
            for reset in (True, False):
                stream = await world.connect()
                await stream.send(sent)
                await leave(stream, reset=reset)
        await world.until_idle()
