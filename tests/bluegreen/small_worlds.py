"""Every small world: machines of a blue, a green and an older cluster in all their states, with all their marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement, product
from typing import Any

from providers.bluegreen.model import Cutover, DrainMark, ExitSeen, MachineSeen, Observation, Ownership, Warm
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_gates import RequestDrain
from tests.bluegreen.worlds import CLEAN_EXIT, cluster, owned_by, spec

Variant = Mapping[str, Any]
KILLED = ExitSeen(exit_code=137, signal=9, oom_killed=False, requested=True)
DIED = ExitSeen(exit_code=1, signal=0, oom_killed=False, requested=False)
DRAINING: Variant = {"draining": DrainMark("2-green.0"), "drain": RequestDrain(type="request")}
STATES: tuple[Variant, ...] = (
    {"state": "started"},
    {"state": "starting", "checks": ()},
    {"state": "stopping"},
    {"state": "stopped", "exit": CLEAN_EXIT},
    {"state": "stopped", "exit": KILLED},
    {"state": "stopped", "exit": DIED},
    {"state": "failed"},
    {"state": "suspended"},
)
SICK: Variant = {"state": "started", "checks": ()}
GREEN_STATES: tuple[Variant, ...] = (STATES[0], SICK, STATES[1], STATES[3], STATES[6])
CORDONS: tuple[Variant, ...] = ({"cordoned": True}, {"cordoned": False})
UNMARKED: Variant = {}


def small(cutover: Cutover, version: int, *, machines: int = 1, **more: Any) -> Spec:
    """A spec of one or two machines. Under overlap no state is kept."""
    regions = {"ams": 1, "iad": 1} if machines > 1 else {"ams": 1}
    store = {} if cutover == "handoff" else {"state_store": None}
    image = f"registry.fly.io/rooms:v{version}"
    return spec(image=image, cutover=cutover, regions=regions, **store, **more)


def variants(*parts: tuple[Variant, ...]) -> list[Variant | None]:
    """Every combination of one of each."""
    return [{key: value for part in chosen for key, value in part.items()} for chosen in product(*parts)]


Machines = tuple[MachineSeen, ...]


def of_each(of: Spec, generation: int, choices: Iterable[Sequence[Variant | None]]) -> list[Machines]:
    """A cluster in each of these ways: one variant for each machine, ``None`` for one that is not there."""
    machines = cluster(of, generation)
    return [
        tuple(
            replace(machine, **variant)
            for machine, variant in zip(machines, chosen, strict=True)
            if variant is not None
        )
        for chosen in choices
    ]


def observed(machines: Machines, record: Ownership | None, **evidence: Any) -> Observation:
    """A world that was looked at; kept clusters are in time at second 20."""
    return Observation(app_exists=True, machines=machines, record=record, at=20.0, **evidence)


def pairs(old: Spec, new: Spec) -> Iterator[Observation]:
    """One machine of blue and one of green, each in every state, cordoned or not, marked or not, drained or not."""
    owner = owned_by(new, 2)
    marks: tuple[Variant, ...] = (UNMARKED, {"serving": 1}, {"serving": 1, "owner": owner})
    blues = [None, *variants(STATES, CORDONS, marks, (UNMARKED, DRAINING))]
    greens = [None, *variants(GREEN_STATES, CORDONS, (UNMARKED, {"serving": 2}))]
    both = of_each(old, 1, product(blues)), of_each(new, 2, product(greens))
    for blue, green, record in product(*both, (None, owner)):
        yield observed(blue + green, record)


def halves(old: Spec, new: Spec) -> Iterator[Observation]:
    """Two machines of each cluster: every half-done cordon, stop, drain, creation, routing and record."""
    owner = owned_by(new, 2)
    states: tuple[Variant, ...] = (
        {"cordoned": False},
        {"cordoned": False, "drain": DRAINING["drain"]},
        UNMARKED,
        DRAINING,
        {"state": "stopped", "exit": CLEAN_EXIT},
        {"state": "stopped", "exit": DIED, "cordoned": False},
        {"state": "stopped", "exit": CLEAN_EXIT, "owner": owner},
    )
    blues = [None, *variants(({"serving": 1},), states)]
    routed: Variant = {"cordoned": False}
    greens = [None, UNMARKED, SICK, routed, {**routed, "serving": 2}]
    both = of_each(old, 1, two_of(blues)), of_each(new, 2, two_of(greens))
    for blue, green, record in product(*both, (None, owner)):
        yield observed(blue + green, record)


def triples(oldest: Spec, old: Spec, new: Spec) -> Iterator[Observation]:
    """An older cluster beside the two, one that served, is kept warm, or was given up; and a machine of a test."""
    marks: tuple[Variant, ...] = (UNMARKED, {"serving": 1}, {"serving": 1, "warm": Warm(30.0, 1)})
    ended: Variant = {"state": "stopped", "cordoned": True, "exit": CLEAN_EXIT}
    late: Variant = {**ended, "serving": 1, "warm": Warm(10.0, 1)}
    olders = [*variants((STATES[0], STATES[2], STATES[3], STATES[5]), CORDONS, marks), late]
    owner: Variant = {"cordoned": False, "serving": 2}
    blues = [None, owner, {**owner, "secrets_of": "3-x"}, {**owner, "cordoned": True}]
    greens: list[Variant | None] = [None, UNMARKED, {"cordoned": False}, {"cordoned": False, "serving": 3}]
    task = replace(cluster(new, 3)[0], id="task", name=f"{new.app}-task-1")
    first = of_each(oldest, 1, product(olders))
    later = of_each(old, 2, product(blues)), of_each(new, 3, product(greens))
    for past, blue, green, record in product(first, *later, (None, owned_by(new, 3))):
        yield observed(past + blue + green, record, tasks=(task,))


def scaled(of: Spec) -> Iterator[Observation]:
    """A cluster that serves, or is a little out of order, and machines that are being added to it or taken away."""
    serves: Variant = {"cordoned": False, "serving": 1}
    stays = [None, serves, {**serves, "cordoned": True}, {**serves, "state": "stopped", "exit": CLEAN_EXIT}]
    stays += [{**serves, **DRAINING}, {**serves, "secrets_of": "2-x"}]
    added: Variant = {"added": True, "counts": (("ams", 2), ("iad", 1))}
    joined: Variant = {**added, "owner": owned_by(of, 1)}
    comes = [*variants((added, joined), GREEN_STATES, CORDONS), {**serves, **added}]
    goes = variants(({"serving": 1},), STATES[:5:2], CORDONS)
    larger = of.model_copy(update={"regions": {"ams": 2, "iad": 1}})
    for machines in of_each(larger, 1, product(stays, [None, *comes, *goes], [None, serves, added])):
        yield observed(machines, None)


def two_of(chosen: Sequence[Variant | None]) -> Iterable[tuple[Variant | None, ...]]:
    """Every two of them, whichever comes first."""
    return combinations_with_replacement(chosen, 2)
