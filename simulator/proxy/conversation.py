"""One request with one machine: send it, read the answer's head, relay the answer."""

from dataclasses import dataclass

import h11

from simulator.proxy.client import Body, Client
from simulator.proxy.head import Origin, build_informational, build_request, build_response
from simulator.proxy.pipe import pipe
from simulator.proxy.route import Ask
from simulator.proxy.upstream import Upstream, UpstreamFailed

Head = h11.Response | h11.InformationalResponse


@dataclass(frozen=True)
class Inbound:
    """A request as its client sent it, and what the proxy read out of it."""

    request: h11.Request
    body: Body
    ask: Ask
    origin: Origin


class Conversation:
    """Between one client and one machine."""

    def __init__(self, client: Client, upstream: Upstream, inbound: Inbound) -> None:
        self._client = client
        self._upstream = upstream
        self._inbound = inbound

    async def send(self, source: str | None) -> None:
        """Send the request, with `source` as its `fly-replay-src`; streams a body that is not whole.

        Raises ClientGone, also later on, when a client that sent a large body leaves; Refusal 400 or 408.
        """
        inbound = self._inbound
        length = len(inbound.body.read) if inbound.body.whole else None
        head = build_request(inbound.request, inbound.ask, inbound.origin, length=length, source=source)
        try:
            await self._upstream.send(head, h11.Data(data=inbound.body.read))
            if not inbound.body.whole:
                await self._stream()
            await self._upstream.send(h11.EndOfMessage())
        except UpstreamFailed:
            pass  # The machine may have answered without reading all of it: its answer decides.
        if not inbound.body.whole:
            await self._client.watch()

    async def read_head(self) -> Head:
        """The answer's head: a 1xx before it is relayed. Raises UpstreamFailed, ClientGone."""
        head = await self._upstream.read_head()
        while isinstance(head, h11.InformationalResponse) and head.status_code != 101:
            # HTTP/1.0 has no 1xx, and a 100 was for the proxy to give.
            if head.status_code != 100 and self._inbound.request.http_version != b"1.0":
                await self._client.send(build_informational(head, self._inbound.origin.request_id))
            head = await self._upstream.read_head()
        return head

    async def relay(self, head: Head) -> None:
        """Give the client the answer, as it comes. Raises UpstreamFailed if it breaks off; ClientGone."""
        request_id = self._inbound.origin.request_id
        if isinstance(head, h11.InformationalResponse):
            await self._client.send(build_informational(head, request_id))
            return
        await self._client.send(build_response(head, request_id, last=not self._client.is_read()))
        while (chunk := await self._upstream.read_chunk()) is not None:
            await self._client.send(h11.Data(data=chunk))
        await self._client.send(h11.EndOfMessage())

    async def pipe(self) -> None:
        """After a 101 has been relayed: bytes both ways, until both sides have ended."""
        if self._client.http.our_state is h11.SWITCHED_PROTOCOL:
            sent, answered = self._client.http.trailing_data[0], self._upstream.http.trailing_data[0]
            await pipe(self._client.stream, self._upstream.stream, sent=sent, answered=answered)

    async def _stream(self) -> None:
        while (chunk := await self._client.next_chunk()) is not None:
            await self._upstream.send(h11.Data(data=chunk))
