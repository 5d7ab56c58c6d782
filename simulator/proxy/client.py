"""The client's side of a connection: requests in, answers out, each within bounds."""

from dataclasses import dataclass

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream

from simulator.proxy.head import build_refusal
from simulator.proxy.pipe import GONE, LINGER_SECONDS, drain, end_writing
from simulator.proxy.route import Ending, Refusal

READ_BYTES = 65_536
HEAD_BYTES = 65_536
# Bodies up to this size are kept, so that another machine can be asked; Fly's proxy has the same bound.
BODY_BYTES = 1_048_576
READ_AHEAD_BYTES = 65_536
HEAD_SECONDS = 10.0
BODY_IDLE_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 60.0
# A peer that reads nothing of what it asked for.
STALL_SECONDS = 60.0
# An end of file may be half a close, by a client that still waits for its answer, or a whole one: TCP does
# not say. So a quick answer is still given, and a machine is not kept busy for a client that left.
HALF_CLOSED_SECONDS = 1.0


class ClientGone(Ending):
    """Nobody is there to take an answer."""


@dataclass(frozen=True)
class Body:
    """A request's body: the bytes `read` so far. Unless it is `whole`, the rest is still to come."""

    read: bytes
    whole: bool


class Client:
    """One client connection. `http` is its HTTP state."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        # None once the peer has gone. anyio's `extra` is not Django's, which S610 is about.
        peer = stream.extra(SocketAttribute.remote_address, None)  # noqa: S610
        self.ip = "unknown" if peer is None else str(peer[0])
        self._wait_seconds = HEAD_SECONDS

    async def next_request(self) -> h11.Request | None:
        """The next head, or None when the client has ended. Raises Refusal 400, 408 or 431; ClientGone."""
        if not self.http.trailing_data[0]:
            with anyio.move_on_after(self._wait_seconds):
                self.http.receive_data(await self._receive())
        self._wait_seconds = KEEP_ALIVE_SECONDS
        if self.http.trailing_data == (b"", False):
            return None
        event = await self._next_event(HEAD_SECONDS)
        return event if isinstance(event, h11.Request) else None

    async def read_body(self) -> Body:
        """The body, or the start of one larger than `BODY_BYTES`. Raises Refusal 400 or 408; ClientGone."""
        chunks: list[bytes] = []
        size = 0
        while size <= BODY_BYTES:
            chunk = await self.next_chunk()
            if chunk is None:
                return Body(b"".join(chunks), whole=True)
            chunks.append(chunk)
            size += len(chunk)
        return Body(b"".join(chunks), whole=False)

    async def next_chunk(self) -> bytes | None:
        """The next piece of a body, or None at its end. Raises Refusal 400 or 408; ClientGone."""
        event = await self._next_event(BODY_IDLE_SECONDS)
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def watch(self) -> None:
        """Raise ClientGone when the client has gone. Keeps what it sends meanwhile, up to a bound."""
        kept = 0
        while kept < READ_AHEAD_BYTES:
            data = await self._receive()
            self.http.receive_data(data)
            if not data:
                await anyio.sleep(HALF_CLOSED_SECONDS)
                raise ClientGone
            kept += len(data)
        await anyio.sleep_forever()

    async def send(self, *events: h11.Event) -> None:
        """Write one or more HTTP events at once. Raises ClientGone, also when the client stops reading."""
        data = b"".join(self.http.send(event) or b"" for event in events)
        try:
            with anyio.fail_after(STALL_SECONDS):
                await self.stream.send(data)
        except (TimeoutError, *GONE):
            raise ClientGone from None

    async def refuse(self, refusal: Refusal, request_id: str, *, head_only: bool = False) -> None:
        """Give the proxy's own answer. Raises ClientGone."""
        response, body = build_refusal(refusal, request_id, last=not self.is_read())
        content = [] if head_only else [h11.Data(data=body)]
        await self.send(response, *content, h11.EndOfMessage())

    def can_answer(self) -> bool:
        """Whether no answer has begun yet."""
        return self.http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    def is_read(self) -> bool:
        """Whether the whole request has been read, so that another may follow it."""
        return self.http.their_state not in (h11.SEND_BODY, h11.ERROR)

    def recycle(self) -> bool:
        """Make ready for the next request, if the connection can be kept."""
        if (self.http.our_state, self.http.their_state) != (h11.DONE, h11.DONE):
            return False
        self.http.start_next_cycle()
        return True

    async def finish(self) -> None:
        """End our side, then wait for the client's: a close with bytes unread would reset the last answer."""
        with anyio.move_on_after(LINGER_SECONDS):
            await end_writing(self.stream)
            await drain(self.stream)

    async def _next_event(self, seconds: float) -> object:
        try:
            with anyio.fail_after(seconds):
                while (event := self.http.next_event()) is h11.NEED_DATA:
                    if self.http.they_are_waiting_for_100_continue:
                        await self.send(h11.InformationalResponse(status_code=100, headers=[]))
                    self.http.receive_data(await self._receive())
                return event
        except TimeoutError:
            raise Refusal(408, f"the request did not arrive within {seconds:g} s") from None
        except h11.RemoteProtocolError as error:
            raise Refusal(error.error_status_hint, f"bad request: {error}") from None

    async def _receive(self) -> bytes:
        try:
            return await self.stream.receive(READ_BYTES)
        except anyio.EndOfStream:
            return b""
        except GONE:
            raise ClientGone from None
