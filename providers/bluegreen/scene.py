"""What an observation means for an intent: who is blue, who is green, and is the commit point behind us. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from pydantic import SecretStr

from providers.bluegreen.model import Cluster, Cutover, MachineSeen, Observation, Release, Role, Unknown
from providers.bluegreen.spec import Spec

Goal = Literal["deploy", "restore", "destroy"]


@dataclass(frozen=True)
class Intent:
    """What a run is to reach. Decided once at its start, and by one function: ``resolve``.

    ``release`` is green's. ``blue`` is the release that serves until the switch, ``None`` on a first deploy.
    ``disturbed``: blue was cordoned or stopped, so a restore has to prove that it answers again.
    ``previous_secrets``: blue's values of the secrets that this deployment changes (``None``: it had none of that
    name); machines read secrets when they start, so blue needs its own back before it is started again.
    ``remove_app``: the app is ours and goes with the last machine. ``lost``: ids of blue's machines that had died
    before this run began; nothing is waited for or proven of them.
    """

    goal: Goal
    spec: Spec
    release: Release
    blue: Release | None
    cutover: Cutover
    disturbed: bool = False
    remove_app: bool = False
    lost: frozenset[str] = frozenset()
    previous_secrets: Mapping[str, SecretStr | None] = field(default_factory=dict, repr=False)

    @property
    def wanted(self) -> dict[str, str]:
        """Green's machines: deterministic name → region. A second create of a name answers 409."""
        return {
            machine_name(self.spec.app, self.release, region, index): region
            for region, count in sorted(self.spec.regions.items())
            for index in range(1, count + 1)
        }


def machine_name(app: str, release: Release, region: str, index: int) -> str:
    """Deterministic, so that a lost answer to a create is found again by name: ``rooms-g2-ams-1``."""
    return f"{app}-g{release.generation}-{region}-{index}"


@dataclass(frozen=True)
class Scene:
    """An observation read with an intent."""

    intent: Intent
    observation: Observation

    def _of(self, release: Release | None) -> tuple[MachineSeen, ...]:
        return tuple(sorted((m for m in self.observation.seen if m.release == release), key=lambda m: m.name))

    @cached_property
    def blue(self) -> tuple[MachineSeen, ...]:
        return self._of(self.intent.blue)

    @cached_property
    def green(self) -> tuple[MachineSeen, ...]:
        return self._of(self.intent.release)

    @cached_property
    def rest(self) -> tuple[MachineSeen, ...]:
        """Ours, but of neither cluster."""
        ours = (self.intent.blue, self.intent.release)
        return tuple(m for m in self.observation.seen if m.release not in ours)

    def of(self, role: Role) -> tuple[MachineSeen, ...]:
        """The machines that a step is about."""
        return {
            Role.BLUE: tuple(m for m in self.blue if m.id not in self.intent.lost),
            Role.GREEN: self.green,
            Role.STRAY: tuple(m for m in self.rest if not is_committed(m.release, self.observation)),
            Role.OTHERS: self.blue + self.rest,
            Role.ALL: self.blue + self.green + self.rest,
        }[role]

    @property
    def committed(self) -> bool:
        """Whether green is past its commit point."""
        return is_committed(self.intent.release, self.observation)

    @property
    def owner(self) -> Release | None:
        """The release that owns the state: green after the commit point, else blue."""
        return self.intent.release if self.committed else self.intent.blue

    @property
    def serving(self) -> Cluster | None:
        """The owner's machines that users reach; ``None`` where they reach none."""
        routed = tuple(machine for machine in self._of(self.owner) if machine.routed)
        return Cluster(self.owner, routed) if self.owner and routed else None


def clusters(observation: Observation) -> list[Cluster]:
    """Our clusters, oldest first."""
    releases = sorted({machine.release for machine in observation.seen})
    return [Cluster(r, tuple(m for m in observation.seen if m.release == r)) for r in releases]


def is_committed(release: Release, observation: Observation) -> bool:
    """Whether a release is past its commit point: the state was recorded as its own, or its routing as proven.

    Routing itself proves nothing: whether a machine that was created unrouted shows as cordoned is undocumented
    (docs/adr/0002).
    """
    return any(
        machine.owner == str(release) or (machine.release == release and machine.serving)
        for machine in observation.seen
    )


def newest_committed(observation: Observation) -> Cluster | None:
    """The cluster that owns the state, as far as the machines tell."""
    committed = [cluster for cluster in clusters(observation) if is_committed(cluster.release, observation)]
    return committed[-1] if committed else None


def resolve(
    spec: Spec,
    observation: Observation,
    *,
    known_generation: int = 0,
    nonce: str = "",
    goal: Goal = "deploy",
) -> Intent:
    """Decide which release is green and which is blue.

    ``known_generation`` is the highest one recorded elsewhere (Pulumi's state): generations only grow, even when
    every machine is gone. ``nonce`` goes into the name of a new release. Raises ``ValueError`` where the machines are
    unknown.
    """
    found = clusters(observation)
    committed = [cluster for cluster in found if is_committed(cluster.release, observation)]
    current = newest_committed(observation)
    if goal == "destroy":
        nothing = Release(known_generation + 1, "destroy")
        return _intent(goal, spec, nothing, current, told_by=current)
    green = _green(spec, found, current, Release(known_generation + 1, spec.digest, nonce))
    older = [cluster for cluster in committed if cluster.release < green]
    unfinished = next((cluster for cluster in found if cluster.release == green), None)
    return _intent(goal, spec, green, older[-1] if older else None, told_by=unfinished)


def _intent(
    goal: Goal, spec: Spec, green: Release, blue: Cluster | None, *, told_by: Cluster | None
) -> Intent:
    """What began under one cutover ends under it: ``told_by`` is the cluster that records which."""
    cutover = told_by.machines[0].cutover if told_by else spec.cutover
    lost = frozenset(machine.id for machine in blue.machines if machine.lost) if blue else frozenset()
    return Intent(goal, spec, green, blue.release if blue else None, cutover, lost=lost)


def _green(spec: Spec, found: list[Cluster], current: Cluster | None, new: Release) -> Release:
    if current and current.release.digest == spec.digest and len(current.machines) == spec.machine_count:
        return current.release
    newest = found[-1].release if found else None
    unfinished = newest and (current is None or newest > current.release)
    if newest and unfinished and newest.digest == spec.digest:
        return newest
    return replace(new, generation=max(new.generation, newest.generation + 1 if newest else 1))


def restoring(scene: Scene, *, remove_app: bool) -> Intent:
    """The intent that undoes ``scene``'s: blue serves again, green is gone, and so is an app made for it."""
    disturbed = any(machine.cordoned or machine.state != "started" for machine in scene.of(Role.BLUE))
    return replace(
        scene.intent, goal="restore", disturbed=disturbed, remove_app=remove_app and not scene.blue
    )


def known(observation: Observation) -> bool:
    """Whether the parts that decisions rest on were seen."""
    return not isinstance(observation.machines, Unknown) and not isinstance(observation.app_exists, Unknown)
