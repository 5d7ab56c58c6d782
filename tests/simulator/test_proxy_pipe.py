"""Promises of the proxy's two-way pipe after a WebSocket upgrade, byte by byte."""

import anyio
import h11
import pytest

from tests.simulator.proxy_kit import (
    SWITCHING,
    WEBSOCKET_HEAD,
    Call,
    leave,
    open_world,
    read_all,
    read_until,
    receive,
    run_machine,
    send_for_ever,
)

pytestmark = pytest.mark.anyio

LAST_WORDS = b"\x88\x02\x03\xf4"  # a close frame: 1012


async def test_bytes_sent_early_arrive() -> None:
    """What a client sends right behind its handshake, and a machine right behind its answer, is not lost."""

    async def greet(call: Call) -> None:
        await call.stream.send(call.http.send(SWITCHING) + b"welcome")
        early, _ = call.http.trailing_data
        await call.stream.send(b"got " + (early or await receive(call.stream)))

    async with run_machine("a", greet) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(WEBSOCKET_HEAD + b"early")
            answer = await read_all(client)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert rest == b"welcomegot early"


async def test_last_words_arrive_before_the_end() -> None:
    """A machine that dies right after its close frame is heard, though its client goes on sending."""

    async def die(call: Call) -> None:
        await call.send(SWITCHING)
        await call.stream.receive(1)  # what follows stays unread, so that the end of the machine is a reset
        await call.stream.send(LAST_WORDS)

    async with run_machine("a", die) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client, anyio.create_task_group() as tasks:
            await client.send(WEBSOCKET_HEAD)
            await read_until(client, b"\r\n\r\n")
            tasks.start_soon(send_for_ever, client, b"edit" * 100)
            assert await read_all(client) == LAST_WORDS
            tasks.cancel_scope.cancel()
        await world.until_idle()


async def test_end_of_one_side_is_passed_on() -> None:
    """When a client ends its side, the machine sees that end, and its answer still reaches the client."""

    async def answer_at_end(call: Call) -> None:
        await call.send(SWITCHING)
        await call.stream.send(b"heard " + await read_all(call.stream))

    async with run_machine("a", answer_at_end) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(WEBSOCKET_HEAD)
            await read_until(client, b"\r\n\r\n")
            await client.send(b"all of this")
            await client.send_eof()
            assert await read_all(client) == b"heard all of this"
        await world.until_idle()


async def test_reset_client_ends_the_machine_side() -> None:
    """When a client's connection is reset, the machine's connection ends."""
    freed = anyio.Event()

    async def listen(call: Call) -> None:
        await call.send(SWITCHING)
        await read_all(call.stream)
        freed.set()

    async with run_machine("a", listen) as machine, open_world() as world:
        await world.route(machine)
        client = await world.connect()
        await client.send(WEBSOCKET_HEAD)
        await read_until(client, b"\r\n\r\n")
        await leave(client, reset=True)
        with anyio.fail_after(10):
            await freed.wait()
        await world.until_idle()


async def test_late_reader_gets_everything() -> None:
    """Nothing is dropped of what a machine sent before its end, however much it is."""
    size = 32 * 1_048_576

    async def flood(call: Call) -> None:
        await call.send(SWITCHING)
        for _ in range(32):
            await call.stream.send(bytes(1_048_576))

    async with run_machine("a", flood) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(WEBSOCKET_HEAD)
            head = await read_until(client, b"\r\n\r\n")
            early = len(head.partition(b"\r\n\r\n")[2])
            rest = await read_all(client)
    assert early + len(rest) == size


async def test_upgrade_that_nobody_asked_for_is_a_bad_gateway() -> None:
    """A machine cannot take over a connection whose client asked for a plain answer."""

    async def switch(call: Call) -> None:
        await call.stream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nbytes")

    async with run_machine("a", switch) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            answer = await client.get("/")
    assert answer.status_code == 502


async def test_handshake_may_end_as_plain_request() -> None:
    """After a refused handshake the client's connection takes further requests."""

    async def refuse(call: Call) -> None:
        assert call.http.our_state is not h11.ERROR
        await call.answer(call.request.target, status=403)

    async with run_machine("a", refuse) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(WEBSOCKET_HEAD + WEBSOCKET_HEAD.replace(b"/rooms/1", b"/rooms/2"))
            answers = await read_until(client, b"\r\n\r\n/rooms/2")
    assert answers.count(b"HTTP/1.1 403") == 2
