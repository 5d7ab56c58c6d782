"""Accepts connections, and reads requests from each until it ends."""

import errno
import logging
from uuid import uuid4

import anyio
import h11
from anyio.abc import Listener, SocketStream

from simulator.history import History
from simulator.proxy.client import Client, ClientGone
from simulator.proxy.conversation import Inbound
from simulator.proxy.exchange import Exchange, Proxy
from simulator.proxy.head import Origin, read_ask
from simulator.proxy.route import Refusal
from simulator.routes import Routes

logger = logging.getLogger(__name__)


# The process or the system has no room for one more connection.
FULL = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
RETRY_SECONDS = 1.0


async def serve(listener: Listener[SocketStream], routes: Routes, history: History, *, hold: float) -> None:
    """Route what comes in at `listener` until cancelled; then every connection is cut.

    `hold` is how many seconds a request without a route waits for one. `history` gets `route` and `closed`.
    """
    server = _Server(Proxy(routes, history, hold))
    async with listener, anyio.create_task_group() as tasks:
        while True:
            try:
                await listener.serve(server.handle, tasks)
            except* OSError as errors:
                if errors.split(_is_full)[1] is not None:
                    raise
                logger.warning("no room for another connection: waiting for one to end")
                await server.wait_for_room()


class _Server:
    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._ended = anyio.Event()

    async def handle(self, stream: SocketStream) -> None:
        """Serve one connection; nothing that happens to it may reach the others."""
        async with stream:
            try:
                await _converse(self._proxy, Client(stream))
            except ClientGone:
                pass
            except Exception:
                logger.exception("a connection ended with a fault of the proxy's own")
        self._ended.set()

    async def wait_for_room(self) -> None:
        """Wait until a connection has ended, here or after a while perhaps elsewhere on this system."""
        self._ended = anyio.Event()
        with anyio.move_on_after(RETRY_SECONDS):
            await self._ended.wait()


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


async def _converse(proxy: Proxy, client: Client) -> None:
    kept = True
    while kept:
        kept = await _answer_next(proxy, client)
    if client.http.our_state is not h11.SWITCHED_PROTOCOL:
        await client.finish()


async def _answer_next(proxy: Proxy, client: Client) -> bool:
    """Answer one request; whether another may follow."""
    request_id = uuid4().hex
    request: h11.Request | None = None
    try:
        request = await client.next_request()
        if request is None:
            return False
        await _answer(proxy, client, request, request_id)
    except Refusal as refusal:
        if not client.can_answer():
            return False
        head_only = request is not None and request.method == b"HEAD"
        await client.refuse(refusal, request_id, head_only=head_only)
    return client.recycle()


async def _answer(proxy: Proxy, client: Client, request: h11.Request, request_id: str) -> None:
    ask = read_ask(request, proxy.routes.apps(), proxy.routes.default_edge)
    body = await client.read_body()
    inbound = Inbound(request, body, ask, Origin(client.ip, request_id))
    await Exchange(proxy, client, inbound).run()
