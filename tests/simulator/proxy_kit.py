"""A proxy between real sockets: machines are small HTTP servers in process, routes are told by the test."""

import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import h11
import httpx
from anyio.abc import Listener, SocketAttribute, SocketStream, TaskGroup
from anyio.streams.stapled import MultiListener

from simulator.clock import Clock
from simulator.history import History, Record
from simulator.proxy import serve
from simulator.routes import Route, Routes, Target

PATIENCE_SECONDS = 20.0
# Above every bound of the proxy's own; for virtual time, where it costs nothing.
VIRTUAL_PATIENCE_SECONDS = 300.0
WEBSOCKET_HEAD = (
    b"GET /rooms/1 HTTP/1.1\r\nHost: rooms.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHING = h11.InformationalResponse(
    status_code=101,
    headers=[("connection", "Upgrade"), ("upgrade", "websocket")],
    reason=b"Switching Protocols",
)


def find_port(listener: Listener[SocketStream]) -> int:
    """The port that a listener got."""
    port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610  (anyio's, not Django's)
    return port


class Signal:
    """Something that tests wait for: `until(condition)` looks again whenever `fire` was called."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def fire(self) -> None:
        """Something has changed."""
        self._event.set()
        self._event = anyio.Event()

    async def until(self, condition: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> None:
        """Wait until the condition holds."""
        with anyio.fail_after(patience):
            while not condition():
                await self._event.wait()


class WatchedHistory(History):
    """A history that tells of every record."""

    def __init__(self, signal: Signal) -> None:
        super().__init__(Clock())
        self._signal = signal

    def add(self, kind: str, **fields: Any) -> Record:
        """Append one record."""
        record = super().add(kind, **fields)
        self._signal.fire()
        return record


class WatchedRoutes(Routes):
    """Routes without delay that tell what is open on them."""

    def __init__(self, signal: Signal) -> None:
        super().__init__(delay=0.0, default_edge="ams", on_learned=lambda app, machine_ids: None)
        self.open: list[str] = []
        self._signal = signal

    def opened(self, target: Target) -> None:
        """Count one more."""
        super().opened(target)
        self.open.append(target.machine_id)
        self._signal.fire()

    def closed(self, target: Target) -> None:
        """Count one less."""
        super().closed(target)
        self.open.remove(target.machine_id)
        self._signal.fire()


class WatchedListener(Listener[SocketStream]):
    """A listener that counts the connections that are being served, and fails with `errors` first."""

    def __init__(self, listener: Listener[SocketStream], signal: Signal, errors: Iterable[Exception]) -> None:
        self.open = 0
        self._listener = listener
        self._signal = signal
        self._errors = list(errors)

    async def serve(
        self, handler: Callable[[SocketStream], Awaitable[None]], task_group: TaskGroup | None = None
    ) -> None:
        """Accept connections."""

        async def counted(stream: SocketStream) -> None:
            self.open += 1
            self._signal.fire()
            try:
                await handler(stream)
            finally:
                self.open -= 1
                self._signal.fire()

        if self._errors:
            raise self._errors.pop(0)
        await self._listener.serve(counted, task_group)

    async def aclose(self) -> None:
        """Close."""
        await self._listener.aclose()


@dataclass
class World:
    """A running proxy at `port`, and what it knows and tells."""

    port: int
    signal: Signal
    listener: WatchedListener
    routes: WatchedRoutes
    history: WatchedHistory

    @property
    def url(self) -> str:
        """Where the proxy answers."""
        return f"http://127.0.0.1:{self.port}"

    async def route(self, *targets: Target, app: str = "rooms") -> None:
        """Let the proxy learn that exactly these machines take the app's traffic."""
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.routes.changed, app)
                await anyio.lowlevel.checkpoint()
                self.routes.tell(app, [Route(target, healthy=True) for target in targets])

    async def until_record(self, kind: str, **fields: Any) -> Record:
        """Wait for a record with these fields."""
        wanted = {"kind": kind, **fields}
        await self.signal.until(
            lambda: any(wanted.items() <= record.items() for record in self.history.read())
        )
        return next(record for record in self.history.read() if wanted.items() <= record.items())

    async def until_idle(self) -> None:
        """Wait until no connection is open, to any machine or from any client."""
        await self.signal.until(lambda: not self.routes.open and not self.listener.open)

    def outcomes(self) -> list[tuple[str, str | None]]:
        """Outcome and machine of every `route` record."""
        return [(record["outcome"], record["machine_id"]) for record in self.history.read(kind="route")]

    def browse(self, host: str = "rooms.localhost") -> httpx.AsyncClient:
        """An HTTP client of one app, which keeps its connections."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"host": host}, trust_env=False, timeout=PATIENCE_SECONDS
        )

    async def connect(self) -> SocketStream:
        """A bare connection to the proxy."""
        return await anyio.connect_tcp("127.0.0.1", self.port)


class Faults(logging.Handler):
    """Collects what the proxy logs as its own faults: there must be none."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.seen.append(logging.Formatter().format(record))


@asynccontextmanager
async def open_world(
    hold: float = PATIENCE_SECONDS, accept_errors: Iterable[Exception] = ()
) -> AsyncIterator[World]:
    """A proxy on a free loopback port; afterwards it has logged no fault, and nothing of it is left open."""
    signal, faults = Signal(), Faults()
    routes, history = WatchedRoutes(signal), WatchedHistory(signal)
    bound = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listener = WatchedListener(bound, signal, accept_errors)
    logging.getLogger("simulator.proxy").addHandler(faults)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(routes.learn)
            tasks.start_soon(lambda: serve(listener, routes, history, hold=hold))
            yield World(find_port(bound), signal, listener, routes, history)
            tasks.cancel_scope.cancel()
    finally:
        logging.getLogger("simulator.proxy").removeHandler(faults)
    assert faults.seen == []
    assert (routes.open, listener.open) == ([], 0)


@dataclass
class Call:
    """One request as a machine got it, and the means to answer it in any way, good or bad."""

    machine_id: str
    stream: SocketStream
    http: h11.Connection
    request: h11.Request
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A request header's value."""
        values = [value.decode() for key, value in self.request.headers if key == name.encode()]
        return ", ".join(values) if values else None

    async def send(self, *events: h11.Event) -> None:
        """Write HTTP events."""
        await self.stream.send(b"".join(self.http.send(event) or b"" for event in events))

    async def answer(self, body: str | bytes = b"", status: int = 200, **headers: str) -> None:
        """A whole answer; underscores in header names stand for hyphens."""
        data = body.encode() if isinstance(body, str) else body
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        fields += [("content-length", str(len(data)))]
        response = h11.Response(status_code=status, headers=fields)
        content = [] if self.request.method == b"HEAD" else [h11.Data(data=data)]
        await self.send(response, *content, h11.EndOfMessage())

    async def read(self) -> None:
        """Read the body to its end."""
        while not isinstance(event := await self.next_event(), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            self.body += bytes(event.data)

    async def next_event(self) -> object:
        """The next HTTP event from the proxy."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await receive(self.stream))
        return event


Handler = Callable[[Call], Awaitable[None]]


async def tell_name(call: Call) -> None:
    """Answer with the machine's own id."""
    await call.answer(call.machine_id)


@asynccontextmanager
async def run_machine(
    machine_id: str, handler: Handler = tell_name, *, region: str = "ams", reads_body: bool = True
) -> AsyncIterator[Target]:
    """A machine that serves one request a connection; its end, like a process's, ends its connections."""

    async def take(stream: SocketStream) -> None:
        # A proxy that goes away in the middle is no fault of the machine's.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, h11.RemoteProtocolError):
            async with stream:
                await _take_request(machine_id, stream, handler, reads_body)

    listener: MultiListener[SocketStream] = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_serve_machine, listener, take)
        yield Target(machine_id, region, "127.0.0.1", find_port(listener), "rooms")
        tasks.cancel_scope.cancel()


async def _take_request(machine_id: str, stream: SocketStream, handler: Handler, reads_body: bool) -> None:
    http = h11.Connection(h11.SERVER)
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await receive(stream))
    if isinstance(event, h11.Request):
        call = Call(machine_id, stream, http, event)
        if reads_body:
            await call.read()
        await handler(call)


async def _serve_machine(
    listener: MultiListener[SocketStream], take: Callable[[SocketStream], Awaitable[None]]
) -> None:
    async with listener:
        await listener.serve(take)


async def find_dead_target(machine_id: str, region: str = "ams") -> Target:
    """A machine that the proxy knows, but whose process is gone."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = find_port(listener)
    return Target(machine_id, region, "127.0.0.1", port, "rooms")


async def leave(stream: SocketStream, *, reset: bool) -> None:
    """Close a connection, politely or with a reset."""
    if reset:
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610  (anyio's, not Django's)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def send_for_ever(stream: SocketStream, data: bytes) -> None:
    """Send until the connection breaks."""
    with suppress(anyio.BrokenResourceError):
        while True:
            await stream.send(data)


async def receive(stream: SocketStream) -> bytes:
    """The next bytes, or none at the end."""
    try:
        return await stream.receive()
    except anyio.EndOfStream:
        return b""


async def read_until(stream: SocketStream, mark: bytes, patience: float = PATIENCE_SECONDS) -> bytes:
    """Read until `mark` has come."""
    data = b""
    with anyio.fail_after(patience):
        while mark not in data:
            chunk = await receive(stream)
            assert chunk, f"ended after {data!r}"
            data += chunk
    return data


async def read_all(stream: SocketStream, patience: float = PATIENCE_SECONDS) -> bytes:
    """Read until the end."""
    data = bytearray()
    with anyio.fail_after(patience):
        while chunk := await receive(stream):
            data += chunk
    return bytes(data)
