"""Promises of the proxy to HTTP clients: where a request goes, what of it arrives, and what comes back."""

from collections.abc import AsyncIterator

import anyio
import h11
import httpx
import pytest

from simulator.proxy.client import BODY_BYTES
from simulator.proxy.route import MAX_REPLAYS
from tests.simulator.proxy_kit import (
    Call,
    Handler,
    open_world,
    read_all,
    read_until,
    receive,
    run_machine,
    tell_name,
)

pytestmark = pytest.mark.anyio

MIB = 1_048_576


async def tell_headers(call: Call) -> None:
    """Answer with the request as the machine got it: method and target, then its headers."""
    lines = [f"{name.decode()}: {value.decode()}" for name, value in call.request.headers]
    await call.answer("\n".join([f"{call.request.method.decode()} {call.request.target.decode()}", *lines]))


async def echo(call: Call) -> None:
    """Answer with the request's body."""
    await call.answer(call.body)


def replay(order: str) -> Handler:
    """A machine that sends every request elsewhere."""

    async def answer(call: Call) -> None:
        await call.answer("not for you", status=409, fly_replay=order)

    return answer


async def test_host_chooses_the_app() -> None:
    """A request reaches the app that its host names, by either domain."""
    async with run_machine("a") as rooms, run_machine("b") as games, open_world() as world:
        await world.route(rooms)
        await world.route(games, app="games")
        async with world.browse() as client:
            assert (await client.get("/", headers={"host": "rooms.fly.dev"})).text == "a"
            assert (await client.get("/", headers={"host": "games.localhost:1"})).text == "b"
            unknown = await client.get("/", headers={"host": "127.0.0.1"})
    assert unknown.status_code == 404
    assert "games, rooms" in unknown.text


async def test_edge_and_preference_choose_the_region() -> None:
    """The machine nearest to the edge answers, unless the client prefers a region or forces a machine."""
    async with run_machine("a") as ams, run_machine("b", region="iad") as iad, open_world() as world:
        await world.route(ams, iad)
        async with world.browse() as client:
            assert (await client.get("/")).text == "a"
            assert (await client.get("/", headers={"x-sim-edge": "bos"})).text == "b"
            assert (await client.get("/", headers={"fly-prefer-region": "iad"})).text == "b"
            assert (await client.get("/", headers={"fly-force-instance-id": "b"})).text == "b"
        edges = [record["edge"] for record in world.history.read(kind="route")]
    assert edges == ["ams", "bos", "ams", "ams"]


async def test_request_arrives_whole() -> None:
    """A machine gets method, target and headers, and the proxy's own headers."""
    async with run_machine("a", tell_headers) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            answer = await client.request("DELETE", "/rooms/1?x=%20y", headers={"x-mine": "kept"})
    lines = answer.text.split("\n")
    assert lines[0] == "DELETE /rooms/1?x=%20y"
    assert {"x-mine: kept", "fly-region: ams", "fly-client-ip: 127.0.0.1", "x-forwarded-proto: http"} <= set(
        lines
    )
    assert f"fly-request-id: {answer.headers['fly-request-id']}" in lines
    assert answer.headers["via"] == "1.1 fly.io"


async def test_history_keeps_the_query_to_itself() -> None:
    """A request is recorded with its path, and without its query."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            await client.get("/rooms/1?token=secret")
        routed = await world.until_record("route", outcome="routed", machine_id="a", path="/rooms/1")
        closed = await world.until_record("closed", conn=routed["conn"], machine_id="a")
    assert closed["seconds"] >= 0
    assert routed["websocket"] is False


async def test_kept_connection_is_routed_anew() -> None:
    """The next request on a kept client connection goes where the routes lead by then."""
    async with run_machine("a") as blue, run_machine("b") as green, open_world() as world:
        await world.route(blue)
        client = await world.connect()
        async with client:
            await client.send(b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n")
            assert (await read_until(client, b"\r\n\r\na")).startswith(b"HTTP/1.1 200")
            await world.route(green)
            await client.send(b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n")
            assert (await read_until(client, b"\r\n\r\nb")).startswith(b"HTTP/1.1 200")


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests sent without waiting are answered one after the other."""
    async with run_machine("a", tell_headers) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            head = b" HTTP/1.1\r\nHost: rooms.localhost\r\n"
            await client.send(b"GET /1" + head + b"\r\nGET /2" + head + b"Connection: close\r\n\r\n")
            answers = await read_all(client)
    assert 0 < answers.find(b"GET /1") < answers.find(b"GET /2")


async def test_replay_brings_a_request_with_its_body_to_the_instance() -> None:
    """fly-replay is followed with method and body, says whence, and stays unseen by the client."""

    async def own(call: Call) -> None:
        await call.answer(call.body + f" {call.header('fly-replay-src')}".encode())

    async with (
        run_machine("a", replay("instance=b;state=s1")) as ams,
        run_machine("b", own, region="syd") as syd,
        open_world() as world,
    ):
        await world.route(ams, syd)
        async with world.browse() as client:
            answer = await client.post("/", content=b"edit")
        await world.until_idle()
        outcomes = world.outcomes()
    assert answer.status_code == 200
    assert answer.text.startswith("edit instance=a;region=ams;t=")
    assert answer.text.endswith(";state=s1")
    assert "fly-replay" not in answer.headers
    assert outcomes == [("replayed", "a"), ("routed", "b")]


async def test_replay_to_a_region() -> None:
    """fly-replay with a region goes to a machine there."""
    order = replay("region=iad")
    async with run_machine("a", order) as ams, run_machine("b", region="iad") as iad, open_world() as world:
        await world.route(ams, iad)
        async with world.browse() as client:
            assert (await client.get("/")).text == "b"


async def test_replays_in_circles_end() -> None:
    """Machines that replay to each other for ever get a few turns, and the client a 502."""
    there, back = replay("instance=b"), replay("instance=a")
    async with run_machine("a", there) as one, run_machine("b", back) as two, open_world() as world:
        await world.route(one, two)
        async with world.browse() as client:
            answer = await client.get("/")
        outcomes = world.outcomes()
    assert answer.status_code == 502
    assert len(outcomes) == MAX_REPLAYS + 1


async def test_nonsense_replay_is_a_bad_gateway() -> None:
    """An order that names nothing is the app's fault, and said so."""
    async with run_machine("a", replay("please")) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            answer = await client.get("/")
    assert (answer.status_code, "fly-replay" in answer.headers) == (502, False)


async def test_replay_to_a_machine_that_left_starts_over() -> None:
    """Where the ordered instance is not routed, the request waits for a change, and is then routed anew."""
    async with (
        run_machine("a", replay("instance=gone")) as blue,
        run_machine("b") as green,
        open_world() as world,
    ):
        await world.route(blue)
        answers: list[str] = []
        async with world.browse() as client, anyio.create_task_group() as tasks:

            async def ask() -> None:
                answers.append((await client.get("/")).text)

            tasks.start_soon(ask)
            await world.until_record("route", outcome="held")
            await world.route(green)
        outcomes = world.outcomes()
    assert answers == ["b"]
    assert outcomes == [("replayed", "a"), ("held", None), ("routed", "b")]


async def test_large_bodies_stream_both_ways() -> None:
    """Bodies smaller and larger than the buffer reach the machine whole, and large answers come back."""

    async def count_bytes(call: Call) -> None:
        await call.read()
        await call.answer(bytes(len(call.body)))

    async def produce() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield bytes(MIB)

    async with run_machine("a", count_bytes, reads_body=False) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            assert len((await client.post("/", content=produce())).content) == 8 * MIB
            assert len((await client.post("/", content=bytes(3 * MIB))).content) == 3 * MIB
            assert len((await client.post("/", content=bytes(BODY_BYTES))).content) == BODY_BYTES


async def test_large_body_is_not_held_back() -> None:
    """The machine sees the first part of a large body before the client has sent the last."""
    seen = anyio.Event()

    async def notice(call: Call) -> None:
        await call.next_event()
        seen.set()
        await call.read()
        await call.answer("done")

    async with run_machine("a", notice, reads_body=False) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            size = BODY_BYTES + 100_001
            await client.send(
                f"PUT / HTTP/1.1\r\nHost: rooms.localhost\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            await client.send(bytes(size - 1))
            with anyio.fail_after(10):
                await seen.wait()
            await client.send(b"x")
            await read_until(client, b"done")


async def test_replay_of_a_large_body_is_refused() -> None:
    """A body that was streamed cannot be sent again: the client is told."""
    async with run_machine("a", replay("instance=b"), reads_body=False) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            head = f"POST / HTTP/1.1\r\nHost: rooms.localhost\r\nContent-Length: {2 * MIB}\r\n\r\n"
            await client.send(head.encode() + bytes(MIB + 200_000))
            assert (await read_until(client, b"too large to be sent again")).startswith(b"HTTP/1.1 502")


async def test_early_answer_reaches_a_client_that_still_sends() -> None:
    """A machine may answer before it has read a large body; the client hears that, and is not reset."""

    async def refuse(call: Call) -> None:
        await call.answer("too much", status=413)

    async with run_machine("a", refuse, reads_body=False) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(
                b"POST / HTTP/1.1\r\nHost: rooms.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
            await client.send(chunk * 20)
            answer = await read_all(client)
            for _ in range(100):
                await client.send(chunk)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()


async def test_client_that_waits_for_100_gets_it() -> None:
    """A client that asks before it sends its body is told to go on."""
    async with run_machine("a", echo) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            head = b"POST / HTTP/1.1\r\nHost: rooms.localhost\r\nContent-Length: 4\r\n"
            await client.send(head + b"Expect: 100-continue\r\n\r\n")
            assert (await read_until(client, b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            await client.send(b"body")
            await read_until(client, b"\r\n\r\nbody")


async def test_answers_stream() -> None:
    """Each piece of an answer reaches the client when the machine has written it."""
    go_on = anyio.Event()

    async def drip(call: Call) -> None:
        await call.send(h11.Response(status_code=200, headers=[]), h11.Data(data=b"one"))
        await go_on.wait()
        await call.send(h11.Data(data=b"two"), h11.EndOfMessage())

    async with run_machine("a", drip) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n")
            await read_until(client, b"one")
            go_on.set()
            await read_until(client, b"two")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_answer_without_a_length_is_framed_for_the_client(version: bytes) -> None:
    """An answer that ends with its connection reaches old and new clients whole."""

    async def until_close(call: Call) -> None:
        await call.stream.send(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    async with run_machine("a", until_close) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(
                b"GET / HTTP/" + version + b"\r\nHost: rooms.localhost\r\nConnection: close\r\n\r\n"
            )
            answer = await read_all(client)
    assert b"all of it" in answer
    assert (b"chunked" in answer) is (version == b"1.1")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
async def test_answers_without_a_body(method: str, status: int) -> None:
    """HEAD, 204 and 304 have no body, and the connection stays usable."""

    async def answer(call: Call) -> None:
        length = [] if status == 204 else [("content-length", "5")]
        await call.send(h11.Response(status_code=status, headers=[*length, ("x-a", "1")]), h11.EndOfMessage())

    async with run_machine("a", answer) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            answers = [await client.request(method, "/") for _ in range(2)]
    assert [(a.status_code, a.content, a.headers["x-a"]) for a in answers] == [(status, b"", "1")] * 2


async def test_early_hints_are_relayed() -> None:
    """A 1xx before the answer reaches the client."""

    async def hint(call: Call) -> None:
        await call.send(h11.InformationalResponse(status_code=103, headers=[("link", "</a.css>")]))
        await call.answer("done")

    async with run_machine("a", hint) as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n")
            answer = await read_until(client, b"done")
    assert answer.startswith(b"HTTP/1.1 103")
    assert b"HTTP/1.1 200" in answer


async def test_half_closed_client_gets_its_answer() -> None:
    """A client that ends its side after the request still gets the answer."""
    async with run_machine("a") as machine, open_world() as world:
        await world.route(machine)
        async with await world.connect() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n")
            await client.send_eof()
            assert (await read_all(client)).endswith(b"\r\n\r\na")


async def test_least_loaded_machine_answers() -> None:
    """Of two machines as near, the one with fewer open requests is asked."""
    release = anyio.Event()

    async def wait(call: Call) -> None:
        await release.wait()
        await tell_name(call)

    async with run_machine("a", wait) as one, run_machine("b", wait) as two, open_world() as world:
        await world.route(one, two)
        answers: set[str] = set()
        async with world.browse() as client, anyio.create_task_group() as tasks:

            async def ask() -> None:
                answers.add((await client.get("/")).text)

            tasks.start_soon(ask)
            tasks.start_soon(ask)
            await world.signal.until(lambda: len(world.routes.open) == 2)
            release.set()
    assert answers == {"a", "b"}


async def test_cookies_stay_separate() -> None:
    """Headers that come several times reach the client several times."""

    async def bake(call: Call) -> None:
        cookies = [("set-cookie", "a=1"), ("set-cookie", "b=2")]
        await call.send(h11.Response(status_code=204, headers=cookies), h11.EndOfMessage())

    async with run_machine("a", bake) as machine, open_world() as world:
        await world.route(machine)
        async with world.browse() as client:
            answer: httpx.Response = await client.get("/")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_serving_ends_with_its_connections() -> None:
    """When the proxy is cancelled, open connections end with it."""
    async with run_machine("a") as machine:
        async with open_world() as world:
            await world.route(machine)
            client = await world.connect()
            await client.send(b"GET / HTTP/1.1\r\nHost: rooms.localhost\r\n\r\n")
            await read_until(client, b"\r\n\r\na")
        async with client:
            with anyio.fail_after(10):
                assert await receive(client) == b""
