"""What the proxy has learned: which machines it may send an app's traffic to, a configurable delay after the fact."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import anyio

from simulator.regions import measure_distance


@dataclass(frozen=True)
class Target:
    """Where one machine takes an app's traffic: `address` is its own loopback IP, `port` its first service's."""

    machine_id: str
    region: str
    address: str
    port: int
    app: str


@dataclass(frozen=True)
class Route:
    """A started, registered, uncordoned machine with a service; `healthy` when all its service checks pass."""

    target: Target
    healthy: bool


class Routes:
    """The proxy's knowledge. Changes told to it count only `delay` seconds later, in the order they were told."""

    def __init__(
        self, *, delay: float, default_edge: str, on_learned: Callable[[str, list[str]], None]
    ) -> None:
        """`on_learned(app, machine_ids)` hears every change of the set of machines that an app is routed to."""
        self.delay = delay
        self.default_edge = default_edge
        self._on_learned = on_learned
        self._learned: dict[str, tuple[Route, ...]] = {}
        self._told: deque[tuple[float, str, tuple[Route, ...] | None]] = deque()
        self._news = anyio.Event()
        self._changes: dict[str, anyio.Event] = {}
        self._load: Counter[str] = Counter()

    def apps(self) -> list[str]:
        """Names of the apps that the proxy knows, with or without a routable machine."""
        return list(self._learned)

    def pick(
        self,
        app: str,
        *,
        edge: str,
        prefer: str | None = None,
        instance: str | None = None,
        exclude: Iterable[str] = frozenset(),
    ) -> Target | None:
        """Choose a machine: `prefer`'s region first, then nearest to `edge`, then least loaded.

        `instance` asks for one machine and ignores the health checks. Whether it reaches a cordoned machine is
        undocumented on Fly; here it does not, so that nothing gets built on it. `exclude` holds machine ids.
        """
        routes = self._learned.get(app, ())
        if instance is not None:
            candidates = [route.target for route in routes if route.target.machine_id == instance]
        else:
            candidates = [route.target for route in routes if route.healthy]
        excluded = set(exclude)
        return min(
            (target for target in candidates if target.machine_id not in excluded),
            key=lambda target: self._rank(target, edge, prefer),
            default=None,
        )

    async def changed(self, app: str) -> None:
        """Wait until the proxy learns the next change of this app."""
        await self._changes.setdefault(app, anyio.Event()).wait()

    def opened(self, target: Target) -> None:
        """Count one more open request or socket on the target's machine."""
        self._load[target.machine_id] += 1

    def closed(self, target: Target) -> None:
        """Count one less."""
        self._load[target.machine_id] -= 1
        if self._load[target.machine_id] <= 0:
            del self._load[target.machine_id]

    def tell(self, app: str, routes: Iterable[Route] | None) -> None:
        """Announce an app's present routes, or None for an app that is gone; learned `delay` seconds from now."""
        self._told.append((anyio.current_time() + self.delay, app, None if routes is None else tuple(routes)))
        self._news.set()

    async def learn(self) -> None:
        """Learn what was told, for ever; one task, so that changes are learned in order."""
        while True:
            if not self._told:
                self._news = anyio.Event()
                await self._news.wait()
            due, app, routes = self._told[0]
            await anyio.sleep(max(0.0, due - anyio.current_time()))
            self._told.popleft()
            self._apply(app, routes)

    def _apply(self, app: str, routes: tuple[Route, ...] | None) -> None:
        before = self._routed(app)
        known = app in self._learned
        if routes is None:
            self._learned.pop(app, None)
        elif known and self._learned[app] == routes:
            return
        else:
            self._learned[app] = routes
        after = self._routed(app)
        if before != after:
            self._on_learned(app, after)
        self._changes.pop(app, anyio.Event()).set()

    def _routed(self, app: str) -> list[str]:
        return sorted(route.target.machine_id for route in self._learned.get(app, ()) if route.healthy)

    def _rank(self, target: Target, edge: str, prefer: str | None) -> tuple[bool, float, int, str]:
        distance = measure_distance(edge, target.region)
        return (target.region != prefer, distance, self._load[target.machine_id], target.machine_id)
