"""What the history learns of one request's way through the proxy.

Every machine that is asked gets one `route` record: `routed` (the answer was its to give), `replayed` (it
sent the request elsewhere) or `failed`; a `closed` record follows each `routed` one. With no machine: `held`,
once, and `none` when the hold ended in vain. `conn` numbers requests, not sockets: each request on a kept
connection has its own, and a WebSocket has one for all its life.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from simulator.history import History
from simulator.proxy.route import Ask


class Trace:
    """The records of one request; `conn` is its number."""

    def __init__(self, history: History, conn: int, ask: Ask) -> None:
        self._history = history
        self._conn = conn
        self._ask = ask

    def note(self, outcome: str, machine_id: str | None = None) -> None:
        """Add a `route` record."""
        ask = self._ask
        self._history.add(
            "route",
            conn=self._conn,
            app=ask.app,
            edge=ask.edge,
            machine_id=machine_id,
            outcome=outcome,
            websocket=ask.websocket,
            path=ask.path,
        )

    @contextmanager
    def visit(self, machine_id: str) -> Iterator["Visit"]:
        """The time in which one machine is asked. If the client leaves before the answer, it was routed."""
        visit = Visit(self, machine_id)
        try:
            yield visit
        finally:
            if visit.outcome is None:
                visit.settle("routed")
            if visit.outcome == "routed":
                seconds = round(anyio.current_time() - visit.settled_at, 6)
                self._history.add("closed", conn=self._conn, machine_id=machine_id, seconds=seconds)


class Visit:
    """One machine being asked; `outcome` is None until it is known."""

    def __init__(self, trace: Trace, machine_id: str) -> None:
        self.outcome: str | None = None
        self.settled_at = 0.0
        self._trace = trace
        self._machine_id = machine_id

    def settle(self, outcome: str) -> None:
        """How asking the machine ended: `routed`, `replayed` or `failed`."""
        self.outcome = outcome
        self.settled_at = anyio.current_time()
        self._trace.note(outcome, self._machine_id)
