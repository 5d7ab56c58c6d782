"""One simulated platform: its apps, and the one place where a change becomes visible to all who care."""

from collections.abc import Collection
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from simulator.clock import Clock
from simulator.errors import not_found
from simulator.history import History
from simulator.ids import Ids
from simulator.limits import Limits
from simulator.model import App, Event, HostStatus, Machine, State
from simulator.regions import COORDINATES
from simulator.routes import Route, Routes, Target
from simulator.runtime import Runtime


class World:
    """`async with World(runtime=…) as world`: everything it runs ends with the block, machines included."""

    tasks: TaskGroup

    def __init__(
        self,
        *,
        runtime: Runtime,
        clock: Clock | None = None,
        regions: Collection[str] | None = None,
        proxy_delay: float = 0.0,
        limits: bool = True,
        history: History | None = None,
        seed: int | None = None,
    ) -> None:
        """`regions` are those that machines may be created in (default: all of Fly's); the first is the proxy's edge.

        `proxy_delay` is in seconds; `limits=False` switches the rate limits off; `seed` makes ids repeat.
        """
        self.runtime = runtime
        self.clock = clock or Clock()
        self.regions = tuple(regions or COORDINATES)
        self.history = history or History(self.clock)
        self.limits = Limits() if limits else None
        self.ids = Ids(seed)
        self.apps: dict[str, App] = {}
        self.routes = Routes(delay=proxy_delay, default_edge=self.regions[0], on_learned=self._record_routes)
        self._told: dict[str, dict[str, Route]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.clock.now()
        self.tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self.tasks.start_soon(self.routes.learn)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        # Cancelling a machine's task kills its program and waits for its end.
        self.tasks.cancel_scope.cancel()
        return await self._stack.__aexit__(kind, error, trace)

    def find_app(self, name: str) -> App:
        """The app, or 404."""
        if name not in self.apps:
            raise not_found(f"app '{name[:64]}'")
        return self.apps[name]

    def find_machine(self, app: str, machine_id: str) -> Machine:
        """The machine, destroyed or not, or 404."""
        machine = self.find_app(app).machines.get(machine_id)
        if machine is None:
            raise not_found(f"machine '{machine_id[:64]}'")
        return machine

    def move(
        self,
        machine: Machine,
        state: State,
        event: str,
        source: str = "flyd",
        exit_event: dict[str, Any] | None = None,
    ) -> None:
        """Put a machine into a state and record the event that says so."""
        self.record_event(machine, state, event, source, machine.instance_id, exit_event)
        machine.state = state
        self.publish(machine, event)

    def record_event(
        self,
        machine: Machine,
        status: State,
        event: str,
        source: str,
        instance_id: str,
        exit_event: dict[str, Any] | None = None,
    ) -> None:
        """Append to the machine's events and to the history."""
        now = self.clock.now()
        machine.events.append(Event(self.ids.ulid(now), event, status, source, now, instance_id, exit_event))
        details = {} if exit_event is None else {"exit_event": exit_event}
        self.history.add(
            "event",
            app=machine.app,
            machine_id=machine.id,
            type=event,
            status=status,
            source=source,
            **details,
        )

    def publish(self, machine: Machine, why: str) -> None:
        """Make a change of a machine known: to the history, to those who wait, and, later, to the proxy."""
        machine.updated_at = self.clock.now()
        self.history.add(
            "machine",
            app=machine.app,
            machine_id=machine.id,
            name=machine.name,
            region=machine.region,
            release=machine.metadata.get("bluegreen_release", ""),
            serving=machine.metadata.get("bluegreen_serving", ""),
            owner=machine.metadata.get("bluegreen_owner", ""),
            state=machine.state,
            cordoned=machine.cordoned or not machine.registered,
            registered=machine.registered,
            healthy=machine.state == "started" and machine.healthy,
            instance_id=machine.instance_id,
            why=why,
        )
        machine.changed.set()
        machine.changed = anyio.Event()
        self._tell_route(machine)

    def set_host_status(self, machine: Machine, status: HostStatus) -> None:
        """Let a machine's host answer or not, as far as the API shows: the machine itself goes on."""
        machine.host_status = status
        self.publish(machine, f"host is {status}")

    def open_routes(self, app: str) -> None:
        """Tell the proxy's side of a new app."""
        self._told[app] = {}
        self.routes.tell(app, ())

    def close_routes(self, app: str) -> None:
        """Tell the proxy's side that an app is gone."""
        del self._told[app]
        self.routes.tell(app, None)

    def _tell_route(self, machine: Machine) -> None:
        told = self._told[machine.app]
        route = find_route(machine)
        if told.get(machine.id) == route:
            return
        if route is None:
            del told[machine.id]
        else:
            told[machine.id] = route
        self.routes.tell(machine.app, told.values())

    def _record_routes(self, app: str, machine_ids: list[str]) -> None:
        self.history.add("routes", app=app, machine_ids=machine_ids)


def find_route(machine: Machine) -> Route | None:
    """Where the proxy may send traffic for a machine, or None while it may not at all."""
    routable = machine.state == "started" and machine.registered and not machine.cordoned
    if not routable or not machine.spec.services:
        return None
    port = machine.spec.services[0].internal_port
    return Route(Target(machine.id, machine.region, machine.address, port, machine.app), machine.healthy)
