"""Why a run would do anything: an unfinished rollout, drift, a time that is over, another configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from providers.bluegreen.adopted import refusals
from providers.bluegreen.commits import in_time, is_retired, rank
from providers.bluegreen.model import Cluster, MachineSeen, Release, Role
from providers.bluegreen.plan import next_step
from providers.bluegreen.scene import Scene, awaiting

DRIFT, REFUSED = "drift: ", "up refuses: "


def drift(scene: Scene) -> list[str]:
    """What somebody else has done to what serves, among the reasons."""
    return [reason for reason in reasons(scene) if reason.startswith((DRIFT, REFUSED))]


def refused(scene: Scene) -> list[str]:
    """Why a run would decide nothing, and so do nothing. Empty: it would."""
    prefix = "destroy refuses: " if scene.intent.goal == "destroy" else REFUSED
    return [f"{prefix}{refusal}" for refusal in refusals(scene)]


def reasons(scene: Scene) -> list[str]:
    """One line for each reason, for people; the first is the weightiest. Empty: there is nothing to do."""
    if told := refused(scene):
        return told
    if next_step(scene) is None:
        return []
    if scene.intent.goal == "destroy":
        return [f"app {scene.intent.spec.app} is to be destroyed"]
    if scene.intent.goal == "scale":
        return [_counts(scene, len(scene.intent.kept | scene.intent.leaving)), *_of_tasks(scene)]
    of_green = _of_owner(scene) if scene.committed else _of_rollout(scene)
    found = [*of_green, *_of_the_rest(scene)]
    return found or ["unfinished rollout: its last steps are still to be done"]


def _of_rollout(scene: Scene) -> Iterator[str]:
    """Green does not own the state yet."""
    intent, green = scene.intent, scene.green
    if green and awaiting(scene):
        approved = intent.spec.approved_release == str(intent.release)
        yield f"release {intent.release} is verified and {'is approved' if approved else 'waits for approval'}"
    elif green and rank(intent.release, scene.observation):
        yield f"back to release {intent.release}, which is kept warm"
    elif green:
        missing = len(intent.wanted.keys() - {machine.name for machine in green})
        some = f", {len(green)} of {len(intent.wanted)} machines made" if missing else ""
        yield f"unfinished rollout: release {intent.release} was left before its commit point{some}"
    elif intent.blue is None:
        yield "nothing is deployed yet"
    elif any(machine.adopted for machine in scene.blue):
        yield f"release {intent.blue} of `fly deploy` is taken over"
    elif intent.blue.digest == intent.release.digest:
        differing = [(machine, told) for machine in scene.blue for told in machine.differs]
        yield from (f"{DRIFT}machine {m.id} ({m.name}): {told}" for m, told in differing)
        if len(scene.blue) != intent.spec.machine_count:
            yield _counts(scene, len(scene.blue))
    else:
        yield f"the configuration is not that of release {intent.blue}, which serves"


def _counts(scene: Scene, have: int) -> str:
    """What serves is of this very configuration, but for where and how many of it there are."""
    wanted = ", ".join(f"{region} {count}" for region, count in sorted(scene.intent.spec.regions.items()))
    return f"counts and regions: release {scene.intent.blue} has {have} machines, wanted are {wanted}"


def _of_owner(scene: Scene) -> Iterator[str]:
    """Green owns the state: what is not as a finished rollout leaves it."""
    names = {machine.name for machine in scene.green}
    for name in sorted(scene.intent.wanted.keys() - names):
        yield f"{DRIFT}machine {name} ({scene.intent.wanted[name]}) is gone"
    unproven = [machine for machine in scene.green if not machine.serving]
    for machine in scene.green:
        yield from _of_machine(machine, recorded=machine not in unproven)
    if unproven:
        yield (
            f"unfinished rollout: release {scene.intent.release} owns the state, and the routing of "
            f"{len(unproven)} of its machines is not proven yet"
        )


def _of_machine(machine: MachineSeen, *, recorded: bool) -> Iterator[str]:
    """What somebody, or a host, has done to a machine that served; before that it is no drift but unfinished."""
    told = f"machine {machine.id} ({machine.name})"
    if recorded and machine.state != "started":
        yield f"{DRIFT}{told} is {machine.state}"
    elif recorded and machine.cordoned:
        yield f"{DRIFT}{told} is cordoned: no user reaches it"
    if machine.draining:
        yield f"unfinished drain: {told} was asked to drain, and not told to resume"
    if machine.secrets_of:
        yield f"unfinished rollout: the app's secrets may be those of release {machine.secrets_of}"


def _of_the_rest(scene: Scene) -> Iterator[str]:
    """Clusters that are neither to serve nor to be kept."""
    if scene.committed:
        for release, machines in _by_release(scene.of(Role.OTHERS)):
            yield _of_older(scene, Cluster(release, machines))
    else:
        for release, machines in _by_release(scene.of(Role.STRAY)):
            yield f"left over: {_count(machines)} of release {release}, which was given up"
        for release, machines in _by_release(scene.of(Role.PAST)):
            yield _of_older(scene, Cluster(release, machines))
    yield from _of_tasks(scene)


def _of_tasks(scene: Scene) -> Iterator[str]:
    if scene.observation.tasks:
        yield f"left over: {_count(scene.observation.tasks)} of tests or commands"


def _of_older(scene: Scene, cluster: Cluster) -> str:
    """A cluster that served before, or was given up, beside the one that owns the state."""
    release, machines, seen = cluster.release, cluster.machines, scene.observation
    if not rank(release, seen):
        return f"left over: {_count(machines)} of release {release}, which was given up"
    if all(is_retired(machine, seen) and not in_time(machine, seen) for machine in machines):
        return f"expired: release {release} was kept warm, and its time is over"
    if all(in_time(machine, seen) for machine in machines):
        return f"release {release} is kept warm no longer"
    return (
        f"unfinished rollout: {_count(machines)} of release {release}, which served before, not retired yet"
    )


def _by_release(machines: tuple[MachineSeen, ...]) -> list[tuple[Release, tuple[MachineSeen, ...]]]:
    found = sorted({machine.release for machine in machines})
    return [(release, tuple(m for m in machines if m.release == release)) for release in found]


def _count(machines: tuple[MachineSeen, ...]) -> str:
    return f"{len(machines)} machine{'s' if len(machines) != 1 else ''}"
