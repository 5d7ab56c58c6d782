"""Promises of the proxy to WebSocket clients, with a real WebSocket library on both sides."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from simulator.routes import Target
from tests.simulator.proxy_kit import PATIENCE_SECONDS, Signal, World, find_dead_target, open_world

pytestmark = pytest.mark.anyio

Gate = Callable[[ServerConnection, Request], Response | None]


@pytest.fixture
def anyio_backend() -> str:
    """The WebSocket library runs on asyncio alone."""
    return "asyncio"


def admit(connection: ServerConnection, request: Request) -> Response | None:
    """Take every socket."""
    return None


def turn_away(status: HTTPStatus, **headers: str) -> Gate:
    """Answer every handshake with a plain response; underscores in header names stand for hyphens."""
    fields = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    fields["content-length"] = "2"

    def gate(connection: ServerConnection, request: Request) -> Response:
        return Response(status, status.phrase, fields, b"no")

    return gate


class Machine:
    """An echoing WebSocket server."""

    def __init__(self, target: Target, server: Server, sockets: list[str], signal: Signal) -> None:
        self.target = target
        self.server = server
        self.sockets = sockets
        self._signal = signal

    async def until_sockets(self, number: int) -> None:
        """Wait until so many sockets are open."""
        await self._signal.until(lambda: len(self.sockets) == number)


@asynccontextmanager
async def run_app(machine_id: str, gate: Gate = admit, region: str = "ams") -> AsyncIterator[Machine]:
    """A machine that says its id on open, then echoes."""
    signal, sockets = Signal(), list[str]()

    async def echo(socket: ServerConnection) -> None:
        sockets.append(str(socket.id))
        signal.fire()
        try:
            await socket.send(machine_id)
            async for message in socket:
                await socket.send(message)
        finally:
            sockets.remove(str(socket.id))
            signal.fire()

    async with serve(echo, "127.0.0.1", 0, process_request=gate) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Machine(Target(machine_id, region, "127.0.0.1", port, "rooms"), server, sockets, signal)


def join(world: World) -> connect:
    """A WebSocket to the app."""
    return connect(f"ws://127.0.0.1:{world.port}/rooms/1?player=7", proxy=None, open_timeout=PATIENCE_SECONDS)


async def say(socket: ClientConnection, text: str) -> str:
    """Send a text and take the answer."""
    await socket.send(text)
    return str(await socket.recv())


async def test_socket_is_routed_and_echoes() -> None:
    """A WebSocket reaches a machine and carries messages, small and large, both ways."""
    async with run_app("a") as machine, open_world() as world:
        await world.route(machine.target)
        async with join(world) as socket:
            assert await socket.recv() == "a"
            assert await say(socket, "hello") == "hello"
            assert await say(socket, "x" * 900_000) == "x" * 900_000
        routed = await world.until_record("route", outcome="routed", machine_id="a", path="/rooms/1")
        await world.until_record("closed", conn=routed["conn"])
        await world.until_idle()
    assert routed["websocket"] is True


async def test_handshake_is_replayed() -> None:
    """A handshake that a machine answers with fly-replay is brought to the instance that it names."""
    gate = turn_away(HTTPStatus.CONFLICT, fly_replay="instance=b")
    async with run_app("a", gate) as one, run_app("b", region="iad") as owner, open_world() as world:
        await world.route(one.target, owner.target)
        async with join(world) as socket:
            assert await socket.recv() == "b"
            assert socket.response is not None
            assert "fly-replay" not in socket.response.headers
            assert "fly-request-id" in socket.response.headers
        outcomes = world.outcomes()
    assert outcomes == [("replayed", "a"), ("routed", "b")]


async def test_denied_handshake_passes() -> None:
    """A handshake that the app refuses is refused to the client with the app's own answer."""
    async with run_app("a", turn_away(HTTPStatus.FORBIDDEN)) as machine, open_world() as world:
        await world.route(machine.target)
        with pytest.raises(InvalidStatus) as denied:
            await join(world)
    assert denied.value.response.status_code == HTTPStatus.FORBIDDEN
    assert denied.value.response.body == b"no"


async def test_open_socket_outlives_its_route() -> None:
    """A machine that leaves the routes (cordon) keeps its open sockets; new ones go elsewhere."""
    async with run_app("a") as blue, run_app("b") as green, open_world() as world:
        await world.route(blue.target)
        async with join(world) as old:
            assert await old.recv() == "a"
            await world.route(green.target)
            async with join(world) as new:
                assert await new.recv() == "b"
                assert await say(old, "still here") == "still here"
            await world.route()
            assert await say(old, "and here") == "and here"


async def test_close_code_reaches_the_client() -> None:
    """When a machine ends its sockets with 1012, each client sees 1012, and the connection ends."""
    async with run_app("a") as machine, open_world() as world:
        await world.route(machine.target)
        async with join(world) as socket:
            assert await socket.recv() == "a"
            machine.server.close(code=1012, reason="deploy")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        await world.until_idle()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "deploy")


async def test_leaving_client_frees_the_machine() -> None:
    """When a client's connection breaks, the machine's socket ends, and its load with it."""
    async with run_app("a") as machine, open_world() as world:
        await world.route(machine.target)
        socket = await join(world)
        await machine.until_sockets(1)
        socket.transport.abort()
        await machine.until_sockets(0)
        await world.until_idle()


async def test_socket_is_held_until_there_is_a_route() -> None:
    """A handshake with nothing to route to waits, and opens with the first route."""
    async with run_app("a") as machine, open_world() as world:
        await world.route()
        greetings: list[object] = []
        async with anyio.create_task_group() as tasks:

            async def enter() -> None:
                async with join(world) as socket:
                    greetings.append(await socket.recv())

            tasks.start_soon(enter)
            await world.until_record("route", outcome="held", websocket=True)
            await world.route(machine.target)
    assert greetings == ["a"]


async def test_hold_of_a_socket_ends_in_503() -> None:
    """A handshake without a route until the end of the hold is refused."""
    async with open_world(hold=0.01) as world:
        await world.route()
        with pytest.raises(InvalidStatus) as refused:
            await join(world)
    assert refused.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE


async def test_dead_machine_is_passed_over() -> None:
    """A socket opens on another machine when the nearest one is dead."""
    dead = await find_dead_target("a")
    async with run_app("b", region="syd") as alive, open_world() as world:
        await world.route(dead, alive.target)
        async with join(world) as socket:
            assert await socket.recv() == "b"


async def test_many_sockets_at_once() -> None:
    """Two hundred sockets are shared between two machines, and each gets its own answers."""
    async with run_app("a") as one, run_app("b") as two, open_world() as world:
        await world.route(one.target, two.target)
        done = 0

        async def play(player: int) -> None:
            nonlocal done
            async with join(world) as socket:
                await socket.recv()
                for number in range(5):
                    assert await say(socket, f"{player}-{number}") == f"{player}-{number}"
                done += 1
                world.signal.fire()
                await world.signal.until(lambda: done == 200)

        async with anyio.create_task_group() as tasks:
            for player in range(200):
                tasks.start_soon(play, player)
        await world.until_idle()
        homes = [machine_id for outcome, machine_id in world.outcomes() if outcome == "routed"]
    assert (homes.count("a"), homes.count("b")) == (100, 100)
