"""What becomes of each machine in a rollout, as far as is known before it runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import MachineSeen, Role
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.scene import Scene

ByRegion = Mapping[str, list[str]]
"""Names of machines by region, both sorted."""
_DRAINS = frozenset({Do.STOP, Do.QUIESCE, Do.READ_EXITS, Do.PROVE_SAVED})


@dataclass(frozen=True)
class Fates:
    """The machines of a rollout, by what becomes of them. One may be drained and then kept warm or destroyed.

    ``started``: they exist, stopped, and run again; ``untouched``: nothing is done to them.
    """

    created: ByRegion = field(default_factory=dict)
    started: ByRegion = field(default_factory=dict)
    drained: ByRegion = field(default_factory=dict)
    kept_warm: ByRegion = field(default_factory=dict)
    destroyed: ByRegion = field(default_factory=dict)
    untouched: ByRegion = field(default_factory=dict)

    def as_dict(self) -> dict[str, dict[str, list[str]]]:
        return {of.name: dict(getattr(self, of.name)) for of in fields(self)}


def fates(scene: Scene, steps: Iterable[PlannedStep]) -> Fates:
    """What ``steps`` do to the machines of ``scene``, and which they would create."""
    doing = {(step.do, step.on) for step in steps}
    named = {machine.name for machine in scene.green}
    created = {name: region for name, region in scene.intent.wanted.items() if name not in named}
    drained = scene.of(Role.BLUE) if any((do, Role.BLUE) in doing for do in _DRAINS) else ()
    kept = scene.of(Role.BLUE) if (Do.KEEP_WARM, Role.BLUE) in doing else ()
    started = [m for m in scene.green if (Do.START, Role.GREEN) in doing and m.state != "started"]
    going = {m.name: m for do, on in doing if do is Do.DESTROY for m in scene.of(on)}
    destroyed = [machine for machine in going.values() if machine not in kept]
    touched = {m.name for part in (drained, kept, started, destroyed) for m in part}
    stays = [m for m in scene.of(Role.ALL) if m.name not in touched and not _of_green(scene, m, doing)]
    return Fates(
        _by_region(created if (Do.CREATE, Role.GREEN) in doing else {}),
        _by_region(_regions(started)),
        _by_region(_regions(drained)),
        _by_region(_regions(kept)),
        _by_region(_regions(destroyed)),
        _by_region(_regions(stays)),
    )


def _of_green(scene: Scene, machine: MachineSeen, doing: set[tuple[Do, Role]]) -> bool:
    """Whether something is done to it as one of green's: routed, recorded, looked at again."""
    return machine.release == scene.intent.release and any(on is Role.GREEN for _, on in doing)


def _regions(machines: Iterable[MachineSeen]) -> dict[str, str]:
    return {machine.name: machine.region for machine in machines}


def _by_region(regions: Mapping[str, str]) -> ByRegion:
    found: dict[str, list[str]] = {}
    for name, region in sorted(regions.items()):
        found.setdefault(region, []).append(name)
    return dict(sorted(found.items()))
