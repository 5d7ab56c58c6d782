"""One scenario: a world, one run that meets a fault, one that meets none, and one that has nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import anyio

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.spec import Spec
from tests.bluegreen.promises import Rules
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec
from tests.faults.calls import Call
from tests.faults.forks import Forks, Key, Told
from tests.faults.network import Kill, Network, Strike
from tests.faults.store import FaultyStore, StoreStrike

SEED = 5
PAUSE_S = 5.0
"""Between two runs: the proxy learns, and Fly's buckets fill up again, which a new process knows nothing of."""
EXPIRED_S = 20.0
"""Where calls about leases meet a fault: a lease that cannot be given back ends by not being renewed any more."""
Goal = Literal["deploy", "destroy"]
LETTERS = {
    Ending.DEPLOYED: "D",
    Ending.UNCHANGED: "U",
    Ending.ABORTED: "A",
    Ending.UNFINISHED: "F",
    Ending.ROLLED_BACK: "R",
    Ending.DESTROYED: "X",
    Ending.UNKNOWN: "?",
}
REFUSED = "-"


DEADLINES = {
    "create_new": "40s",
    "verify": "40s",
    "drain_old": "40s",
    "switch_routes": "40s",
    "retire_old": "40s",
}
"""Short, but each longer than any wait for a single answer: a fault that lasts for ever lasts until then."""
SOON_HEALTHY_S = 0.1
ILL_AFTER_S = 10.0
UNROUTED = ("a whole cluster is routed outside the window",)
"""The proxy takes machines that are ill out of its routes by itself."""
REQUEST: dict[str, Any] = {"drain": {"type": "request"}}
OVERLAP = {"cutover": "overlap"}


@dataclass(frozen=True)
class World:
    """What is deployed before the run in question (``None``: nothing), and what that run is to do.

    ``since`` which phase, and ``until`` which call, its calls are its own; the others are another world's, call by
    call. ``sick``: names of machines that fall ill while that run goes on; for the next one they are well. ``ends``:
    how it ends where it meets no fault.
    """

    name: str
    before: Spec | None
    wanted: Spec
    goal: Goal = "deploy"
    since: str = ""
    until: str = ""
    sick: str = ""
    ends: tuple[Ending, ...] = (Ending.DEPLOYED, Ending.DESTROYED)


@dataclass(frozen=True)
class Next:
    """What the run after a killed one wants."""

    wanted: Spec
    goal: Goal = "deploy"


@dataclass(frozen=True)
class Killed(Kill):
    """A kill, and what the next run wants."""

    next: Next


Scenario = Strike | StoreStrike | Killed


def _spec(image: str, every: str = "200ms", **changes: Any) -> Spec:
    """A check that passes with its second report, ``every`` after the first: few looks until then, but some."""
    check = {"type": "http", "path": "/health", "interval": every}
    services = [{"internal_port": 8080, "checks": [check]}]
    return spec(**{"image": image, "services": services, "deadlines": DEADLINES} | changes)


def _update(name: str, **changes: Any) -> World:
    return World(name, _spec(V1, "5s", **changes), _spec(V2, **changes))


def another(world: World) -> Spec:
    """A third version, which is deployed as the world's own are."""
    spec = world.wanted
    return _spec(V2, env={"X": "3"}, drain=spec.drain, cutover=spec.cutover, state_store=spec.state_store)


STOP = _update("update, drained by stop")
BY_REQUEST = replace(_update("update, drained by request", **REQUEST), since="drain-old", until="/uncordon")
BOTH_ROUTED = replace(_update("update, overlap", **OVERLAP), since="switch-routes")
BACK = World(
    "bake that fails, drained by request",
    _spec(V1, "5s", **REQUEST),
    _spec(V2, bake="15s", **REQUEST),
    since=Phase.ROLL_BACK,
    until="/metadata/bluegreen_serving",  # behind it two are destroyed at once: which one is the last is chance
    sick="rooms-g2-*",
    ends=(Ending.ROLLED_BACK,),
)
FIRST = World("first deploy", None, _spec(V1))
DESTROY = World("destroy", _spec(V1, "5s"), _spec(V1, "5s"), "destroy")


def play(world: World, script: Callable[[Kit], Any]) -> None:
    """Play ``script`` in a world where the first release serves and has edits, the same to the last id each time."""

    async def test(kit: Kit) -> None:
        handoff = world.wanted.cutover == "handoff"
        kit.promises.told.rules = Rules(handoff, saved=kit.store.saved if handoff else None)
        kit.runtime.script("*", replace(kit.app(), healthy_after=SOON_HEALTHY_S))
        if world.sick:
            kit.promises.without = UNROUTED
            kit.runtime.script(
                world.sick, replace(kit.app(), healthy_after=SOON_HEALTHY_S, flap_seconds=ILL_AFTER_S)
            )
        if world.before:
            kit.runtime.script("rooms-g1-*", replace(kit.app(), healthy_after=0.0))
            await run(kit, world.before)
            kit.edit_all()
        await script(kit)

    simulate(test, seed=SEED)


async def run(kit: Kit, wanted: Spec, goal: Goal = "deploy", pause_s: float = PAUSE_S) -> Outcome | None:
    """One run and a pause; ``None`` where it refused to decide anything. Raises ``Broken``."""
    try:
        outcome = await kit.deploy(wanted, goal=goal)
    except CannotLook:
        outcome = None
    await pause(pause_s)
    kit.end(outcome)
    return outcome


async def pause(pause_s: float = PAUSE_S) -> None:
    with anyio.move_on_after(pause_s):
        await anyio.sleep_forever()


def letter(outcome: Outcome | None) -> str:
    return LETTERS[outcome.ending] if outcome else REFUSED


def record(world: World) -> tuple[list[Call], list[Call]]:
    """The calls of a faultless run to the API, and those to the state store."""
    made: list[list[Call]] = []

    async def script(kit: Kit) -> None:
        kit.http = network = Network(kit.http, kit)
        kit.view = store = FaultyStore(kit)
        outcome = await run(kit, world.wanted, world.goal)
        assert outcome is not None
        assert outcome.ending in world.ends, outcome.failure
        made.extend((network.calls, store.calls))

    play(world, script)
    return made[0], made[1]


def heal(kit: Kit, world: World) -> None:
    """What was ill is well, from now on and from its next start on."""
    if world.sick:
        kit.runtime.script(world.sick, replace(kit.app(), healthy_after=SOON_HEALTHY_S))
        for program in kit.runtime.programs.values():
            program.behaviour = replace(program.behaviour, flap_seconds=None)


async def settle(kit: Kit, wanted: Spec, goal: Goal) -> Outcome:
    """The run after, which brings the world to what it wants, and one more, which only looks."""
    second = await run(kit, wanted, goal)
    assert second is not None, "the next run refuses to decide"
    assert second.succeeded, f"the next run ends {second.ending}: {second.failure}"
    third = await run(kit, wanted, goal)
    assert third is not None, "the run after that refuses to decide"
    assert letter(third) in "UX", f"the run after that ends {third.ending}"
    assert not kit.promises.told.writes, f"the run after that did {kit.promises.told.writes}"
    return second


def play_all(world: World, scenarios: Mapping[Key, Scenario]) -> dict[Key, Told]:
    """What each of them ended with, or broke."""
    forks = Forks(scenarios)

    async def meet(kit: Kit) -> None:
        try:
            await _meet(kit, world, forks, of_store=_are_of_the_store(scenarios))
        except BaseException as error:
            if forks.mine is None:
                raise
            # At once: a world that was forked in the middle of its run does not come to its end in good order.
            forks.end(Told(broken=_leaf(error)))

    play(world, meet)
    return forks.told


def strike(world: World, struck: Strike | StoreStrike) -> str:
    """What a run that meets a fault and the next one end with, as ``A/D``. Raises where a promise is broken."""
    (told,) = play_all(world, {(struck.call, ""): struck}).values()
    assert not told.broken, told.broken
    return told.cell


async def _meet(kit: Kit, world: World, forks: Forks, *, of_store: bool) -> None:
    """A run that splits at its calls; in each process that came of it, what follows."""
    real, first = kit.http, None
    with anyio.CancelScope() as deployer:
        if of_store:
            kit.view = FaultyStore(kit, forks)
        else:
            kit.http = Network(real, kit, forks=forks, killed=deployer)
        with suppress(CannotLook):
            first = await kit.deploy(world.wanted, goal=world.goal)
    mine: Scenario | None = forks.mine
    if mine is not None:
        await pause(EXPIRED_S if mine.call.what.endswith("/lease") else PAUSE_S)
        kit.end(first, killed=deployer.cancelled_caught)
        kit.http, kit.view = real, None
        heal(kit, world)
        forks.end(Told(cell=await _follow(kit, world, mine, first)))


async def _follow(kit: Kit, world: World, met: Scenario, first: Outcome | None) -> str:
    """The two runs after it."""
    if isinstance(met, Killed):
        return letter(await settle(kit, met.next.wanted, met.next.goal))
    second = await settle(kit, world.wanted, world.goal)
    if first is not None and first.succeeded and not met.is_lie:
        assert letter(second) in "UX", f"{first.ending}, and the next run is {letter(second)}"
    return f"{letter(first)}/{letter(second)}"


def _are_of_the_store(scenarios: Mapping[Key, Scenario]) -> bool:
    return any(isinstance(scenario, StoreStrike) for scenario in scenarios.values())


def _leaf(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
