"""The machine's side: one connection for one request."""

import anyio
import h11
from anyio.abc import SocketStream

from simulator.proxy.client import HEAD_BYTES, READ_BYTES, STALL_SECONDS
from simulator.proxy.pipe import GONE
from simulator.proxy.route import Ending
from simulator.routes import Target

# A machine that is there takes a connection at once; one whose queue is full is as good as none.
CONNECT_SECONDS = 5.0


class UpstreamFailed(Ending):
    """The machine refused, reset or ended the connection, or what it said is not HTTP.

    `sent`: it may have seen the request. `heard`: some of its answer had come.
    """

    def __init__(self, text: str, *, sent: bool = True, heard: bool = False) -> None:
        super().__init__(text)
        self.sent = sent
        self.heard = heard


class Upstream:
    """One connection to `target`. `http` is its HTTP state."""

    def __init__(self, target: Target, stream: SocketStream) -> None:
        self.target = target
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._heard = False

    async def send(self, *events: h11.Event) -> None:
        """Write one or more HTTP events at once. Raises UpstreamFailed."""
        data = b"".join(self.http.send(event) or b"" for event in events)
        try:
            with anyio.fail_after(STALL_SECONDS):
                await self.stream.send(data)
        except (TimeoutError, *GONE):
            raise self._failure("stopped reading") from None

    async def read_head(self) -> h11.Response | h11.InformationalResponse:
        """The next head of an answer: after a 1xx other than 101 comes another. Raises UpstreamFailed."""
        event = await self._next_event()
        if isinstance(event, h11.Response | h11.InformationalResponse):
            return event
        raise self._failure("ended the connection without an answer")

    async def read_chunk(self) -> bytes | None:
        """The next piece of the answer's body, or None at its end. Raises UpstreamFailed."""
        event = await self._next_event()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def aclose(self) -> None:
        """Close at once."""
        with anyio.CancelScope(shield=True):
            await self.stream.aclose()

    async def _next_event(self) -> object:
        try:
            while (event := self.http.next_event()) is h11.NEED_DATA:
                self.http.receive_data(await self._receive())
            return event
        except h11.RemoteProtocolError as error:
            raise self._failure(f"gave a broken answer: {error}") from None

    async def _receive(self) -> bytes:
        try:
            data = await self.stream.receive(READ_BYTES)
        except anyio.EndOfStream:
            return b""
        except GONE:
            raise self._failure("reset the connection") from None
        self._heard = True
        return data

    def _failure(self, what: str) -> UpstreamFailed:
        return UpstreamFailed(f"machine {self.target.machine_id} {what}", heard=self._heard)


async def connect(target: Target) -> Upstream:
    """Connect to a machine. Raises UpstreamFailed."""
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            return Upstream(target, await anyio.connect_tcp(target.address, target.port))
    except OSError:  # TimeoutError is one
        raise UpstreamFailed(f"machine {target.machine_id} takes no connections", sent=False) from None
