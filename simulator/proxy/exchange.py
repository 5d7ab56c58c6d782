"""One request's way: pick a machine, follow replays, try others, hold."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import anyio

from simulator.history import History
from simulator.proxy.beside import run_beside
from simulator.proxy.client import Client
from simulator.proxy.conversation import Conversation, Inbound
from simulator.proxy.head import find
from simulator.proxy.route import Refusal, Way, format_replay_source, parse_replay, start_way
from simulator.proxy.trace import Trace, Visit
from simulator.proxy.upstream import Upstream, UpstreamFailed, connect
from simulator.routes import Routes, Target

# Safe to ask twice, by HTTP's own definition (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))


@dataclass(frozen=True)
class Proxy:
    """What all requests share. `hold` is how many seconds a request waits for a route."""

    routes: Routes
    history: History
    hold: float
    numbers: "count[int]" = field(default_factory=lambda: count(1))


class Exchange:
    """One request of one client, until it has been answered."""

    def __init__(self, proxy: Proxy, client: Client, inbound: Inbound) -> None:
        self._proxy = proxy
        self._client = client
        self._inbound = inbound
        self._trace = Trace(proxy.history, next(proxy.numbers), inbound.ask)
        self._give_up_at: float | None = None

    async def run(self) -> None:
        """Have the request answered by a machine. Raises Refusal when none does; ClientGone."""
        way: Way | None = start_way(self._inbound.ask)
        while way is not None:
            target = self._pick(way)
            way = await (self._hold() if target is None else self._ask(target, way))

    def _pick(self, way: Way) -> Target | None:
        ask = self._inbound.ask
        return self._proxy.routes.pick(
            ask.app, edge=ask.edge, prefer=way.prefer, instance=way.instance, exclude=way.exclude
        )

    async def _hold(self) -> Way:
        """Wait for a change of routes, then start over: a machine may be back, or replaced by another."""
        app = self._inbound.ask.app
        if self._give_up_at is None:
            self._give_up_at = anyio.current_time() + self._proxy.hold
            self._trace.note("held")
        with anyio.CancelScope(deadline=self._give_up_at):
            await run_beside(partial(self._proxy.routes.changed, app), self._client.watch)
            return start_way(self._inbound.ask)
        self._trace.note("none")
        raise Refusal(503, f"app {app} has no machine for this request (waited {self._proxy.hold:g} s)")

    async def _ask(self, target: Target, way: Way) -> Way | None:
        """Bring the request to one machine. None when that was all, else where it must go next."""
        with self._trace.visit(target.machine_id) as visit:
            try:
                async with _engage(self._proxy.routes, target) as upstream:
                    return await self._converse(upstream, way, visit)
            except UpstreamFailed as failure:
                return self._recover(failure, visit, way.avoid(target.machine_id))

    async def _converse(self, upstream: Upstream, way: Way, visit: Visit) -> Way | None:
        conversation = Conversation(self._client, upstream, self._inbound)

        async def answer() -> Way | None:
            head = await conversation.read_head()
            order = find(head.headers, b"fly-replay")
            if order is not None:
                visit.settle("replayed")
                return self._follow(order, upstream.target, way)
            visit.settle("routed")
            await conversation.relay(head)
            return None

        watch = [self._client.watch] if self._inbound.body.whole else []
        following = await run_beside(answer, partial(conversation.send, way.source), *watch)
        await conversation.pipe()
        return following

    def _follow(self, order: str, target: Target, way: Way) -> Way:
        replay = parse_replay(order)
        if not self._inbound.body.whole:
            raise Refusal(502, "the app replayed a request whose body is too large to be sent again")
        return way.follow(replay, format_replay_source(replay, target.machine_id, target.region, time.time()))

    def _recover(self, failure: UpstreamFailed, visit: Visit, way: Way) -> Way | None:
        if visit.outcome == "routed":
            return None  # The answer has begun: it can only be cut short, so that nobody takes it for whole.
        visit.settle("failed")
        again = self._inbound.request.method in IDEMPOTENT and self._inbound.body.whole
        if failure.heard or (failure.sent and not again):
            raise Refusal(502, str(failure))
        return way


@asynccontextmanager
async def _engage(routes: Routes, target: Target) -> AsyncIterator[Upstream]:
    """A connection to a machine, counted as its load."""
    routes.opened(target)
    try:
        upstream = await connect(target)
        try:
            yield upstream
        finally:
            await upstream.aclose()
    finally:
        routes.closed(target)
