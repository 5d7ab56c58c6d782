"""What an observation means for an intent: who is blue, who is green, and is the commit point behind us. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from pydantic import SecretStr

from providers.bluegreen.commits import clusters, is_warm, latest, rank
from providers.bluegreen.durations import seconds
from providers.bluegreen.model import (
    Cluster,
    Cutover,
    MachineSeen,
    Observation,
    Ownership,
    Release,
    Role,
    Unknown,
)
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_gates import StateProof

Goal = Literal["deploy", "scale", "restore", "destroy", "rollback", "stay"]


@dataclass(frozen=True)
class Intent:
    """What a run is to reach. Decided once at its start, and by one function: ``resolve``.

    ``release`` is green's. ``blue`` is the release that serves until the switch, ``None`` on a first deploy. A
    rollback exchanges the two; ``stay`` keeps blue serving after a rollback that failed. A ``scale`` stays within one
    release: green are its machines that are added, blue those that are ``leaving``; those that are ``kept`` (names, as
    are ``leaving``) are not touched. Its restore puts them together again as blue.
    ``disturbed``: blue was cordoned or stopped, so a restore has to prove that it answers again.
    ``contested``: another run has stopped the owner for a release of its own, and its commit may be on the way: perhaps
    it only sleeps. So the owner takes the next number before it serves again.
    ``previous_secrets``: blue's values of the secrets that this deployment changes (``None``: it had none of that
    name); machines read secrets when they start, so blue needs its own back before it is started again.
    ``previous_proof``: the state_proof of the last deploy, whose details no machine knows.
    ``remove_app``: the app is ours and goes with the last machine. ``lost``: ids of blue's machines that had died
    before this run began; nothing is waited for or proven of them. ``ingress``: recorded on green, for whoever looks
    after the app's addresses and certificates.
    """

    goal: Goal
    spec: Spec
    release: Release
    blue: Release | None
    cutover: Cutover
    disturbed: bool = False
    contested: bool = False
    remove_app: bool = False
    lost: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    previous_secrets: Mapping[str, SecretStr | None] = field(default_factory=dict, repr=False)
    previous_proof: StateProof | None = field(default=None, repr=False)
    ingress: str = ""

    @property
    def wanted(self) -> dict[str, str]:
        """Green's machines: deterministic name → region. A second create of a name answers 409.

        A rollback goes back to machines that exist, whatever today's spec says of them.
        """
        if self.goal not in ("deploy", "scale"):
            return {}
        names = machine_names(self.spec.app, self.release, self.spec.regions)
        return {name: region for name, region in names.items() if name not in self.kept}


def machine_names(app: str, release: Release, counts: Mapping[str, int]) -> dict[str, str]:
    """The machines of a release with so many in each region: name → region."""
    return {
        machine_name(app, release, region, index): region
        for region, count in sorted(counts.items())
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

    def _joined(self, release: Release | None) -> tuple[MachineSeen, ...]:
        return tuple(machine for machine in self._of(release) if not machine.unjoined)

    @cached_property
    def blue(self) -> tuple[MachineSeen, ...]:
        intent = self.intent
        if not intent.kept:
            return self._joined(intent.blue)
        names = intent.leaving if intent.goal == "scale" else intent.leaving | intent.kept
        return tuple(machine for machine in self._of(intent.blue) if machine.name in names)

    @cached_property
    def green(self) -> tuple[MachineSeen, ...]:
        intent = self.intent
        if not intent.kept:
            return self._joined(intent.release)
        if intent.goal == "scale":
            return tuple(machine for machine in self._of(intent.release) if machine.name in intent.wanted)
        return tuple(machine for machine in self._of(intent.release) if machine.unjoined)

    @cached_property
    def rest(self) -> tuple[MachineSeen, ...]:
        """Ours, but of neither cluster: of other releases, or added to one of the two and given up."""
        ours = {machine.id for machine in self.blue + self.green}
        releases = (self.intent.blue, self.intent.release)
        return tuple(
            m for m in self.observation.seen if m.id not in ours and (m.unjoined or m.release not in releases)
        )

    def of(self, role: Role) -> tuple[MachineSeen, ...]:
        """The machines that a step is about."""
        return self._by_role[role]

    @cached_property
    def _by_role(self) -> dict[Role, tuple[MachineSeen, ...]]:
        going = tuple(m for m in self.rest if m.release != self.kept_warm)
        return {
            # A machine that had died before this run, and runs again, is drained like any other.
            Role.BLUE: tuple(m for m in self.blue if not self._over(m)),
            Role.DOWN: tuple(m for m in self.blue if not self._over(m) and self._down(m)),
            Role.GREEN: self.green,
            Role.STRAY: tuple(m for m in going if m.unjoined or not rank(m.release, self.observation)),
            Role.PAST: tuple(m for m in going if not m.unjoined and rank(m.release, self.observation)),
            Role.OTHERS: tuple(m for m in self.blue if m.release != self.kept_warm) + going,
            Role.TASK: self.observation.tasks,
            Role.ALL: self.blue + self.green + self.rest,
        }

    def _down(self, machine: MachineSeen) -> bool:
        """Taken from users by a deployment, or not given to them yet. What crashed, or people stopped, is not that."""
        crashed = machine.exit is not None and not machine.exit.graceful
        halted = machine.state not in ("started", "starting", "stopping")
        taken = machine.cordoned or machine.draining is not None or machine.registered
        return (taken and not (halted and crashed)) or not (halted or self.registered(machine))

    def _over(self, machine: MachineSeen) -> bool:
        """Ended before this run began: nothing is waited for. One that only slept is routed again by a restore."""
        woken = self.intent.goal == "restore" and machine.asleep and machine.cordoned
        return machine.id in self.intent.lost and (machine.lost or machine.asleep) and not woken

    @cached_property
    def kept_warm(self) -> Release | None:
        """The one older release whose stopped machines are kept for a fast way back."""
        if self.intent.goal not in ("deploy", "scale") or not seconds(self.intent.spec.keep_warm):
            return None
        warm = [cluster for cluster in clusters(self.observation) if is_warm(cluster, self.observation)]
        others = [cluster.release for cluster in warm if cluster.release != self.intent.release]
        return max(others, key=lambda release: rank(release, self.observation), default=None)

    @cached_property
    def ownership(self) -> Ownership | None:
        """The latest commit that is known."""
        return latest(self.observation)

    @property
    def committed(self) -> bool:
        """Whether green is past its commit point: of a scale, whether all that is added is recorded as part of it."""
        if self.intent.kept:
            names = {machine.name for machine in self.green if not machine.unjoined}
            return bool(self.intent.wanted) and self.intent.wanted.keys() <= names
        return self.ownership is not None and self.ownership.release == self.intent.release

    @property
    def joining(self) -> bool:
        """Whether a scale has let in some of what it adds: users' state may be theirs from there on."""
        return self.intent.goal == "scale" and any(not machine.unjoined for machine in self.green)

    @property
    def late_commit(self) -> bool:
        """Whether the latest commit is of a deployment that was given up: it took over from blue, and none of its
        machines is left. Blue has to own the state again under a number of its own, or no app would obey it.
        """
        latest = self.ownership
        if latest is None or latest.release in (self.intent.release, self.intent.blue):
            return False
        if self.intent.spec.state_store is None:
            return False
        gone = not any(machine.release == latest.release for machine in self.observation.seen)
        return gone and latest.previous is not None and latest.previous == self.intent.blue

    def number_of(self, release: Release) -> int:
        """The number of a release's latest commit, where that is the latest of all; else the next one."""
        if self.ownership is None:
            return 1
        return self.ownership.number + (self.ownership.release != release)

    def proven(self, machine: MachineSeen) -> bool:
        """Whether the record of its proven routing still counts: of the latest commit, and nothing happened since."""
        current = self.ownership is not None and machine.serving == self.ownership.number
        # What was adopted serves as it is, whatever an older record says of releases that it has replaced.
        adopted = machine.adopted and machine.release == self.intent.blue and not self.committed
        return (current or adopted) and not machine.touched

    def registered(self, machine: MachineSeen) -> bool:
        """It was uncordoned by this run, or proven routed by an earlier one and still uncordoned. One that merely shows
        as uncordoned may have been created away from the proxy.
        """
        return not machine.cordoned and (self.proven(machine) or machine.registered)

    def routed(self, machine: MachineSeen) -> bool:
        """Whether users can reach it, as far as is known: running, uncordoned, and registered with the proxy."""
        return machine.state == "started" and self.registered(machine)

    @property
    def owner(self) -> Release | None:
        """The release that owns the state: green after the commit point, else blue."""
        return self.intent.release if self.committed else self.intent.blue

    @property
    def owners(self) -> tuple[MachineSeen, ...]:
        """The owner's machines, whether users reach them or not."""
        return self._of(self.owner)

    @property
    def serving(self) -> Cluster | None:
        """The owner's machines that users reach; ``None`` where they reach none."""
        routed = tuple(machine for machine in self.owners if self.routed(machine))
        return Cluster(self.owner, routed) if self.owner and routed else None


def awaiting(scene: Scene) -> Release | None:
    """Green, where it waits for approval and may still wait."""
    at = scene.observation.at
    waits = bool(scene.green) and all(machine.approval_until > at for machine in scene.green)
    return scene.intent.release if waits and not scene.committed else None


def restoring(scene: Scene, *, remove_app: bool, touched: bool = False) -> Intent:
    """The intent that undoes ``scene``'s: blue serves again, green is gone, and so is an app made for it.

    A blue that this run has ``touched`` proves that it answers, also where a list (a stale one) shows it untouched.
    """
    undone = Scene(replace(scene.intent, goal="restore"), scene.observation)
    blue = undone.of(Role.BLUE)
    shows = any(machine.cordoned or machine.draining or machine.state != "started" for machine in blue)
    disturbed = shows or touched
    return replace(undone.intent, disturbed=disturbed, remove_app=remove_app and not undone.blue)


def rolling_back(scene: Scene) -> Scene:
    """The scene with the roles exchanged: what was deployed is drained, and the release before takes the state back.

    Evidence about green is of the other cluster then, and does not count.
    """
    assert scene.intent.blue is not None
    failed = Cluster(scene.intent.release, scene.green)
    intent = replace(
        scene.intent,
        goal="rollback",
        release=scene.intent.blue,
        blue=scene.intent.release,
        lost=lost(failed),
    )
    observation = replace(scene.observation, answers=Unknown.NOT_LOOKED, green_seen_again=False)
    return Scene(intent, observation)


def staying(scene: Scene) -> Intent:
    """The intent after a rollback that failed before its commit: what serves (its blue) goes on serving."""
    return replace(scene.intent, goal="stay")


def lost(blue: Cluster | None) -> frozenset[str]:
    """Ids of a cluster's machines that are dead already."""
    return frozenset(m.id for m in blue.machines if m.lost or m.asleep) if blue else frozenset()
