"""Whether a change is one of counts and regions alone, and which machines of the release it is about. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from providers.bluegreen.commits import is_retired, latest
from providers.bluegreen.conditions import reported_well
from providers.bluegreen.model import Cluster, MachineSeen, Observation
from providers.bluegreen.scene import Intent, lost, machine_names
from providers.bluegreen.spec import Spec


def is_of(spec: Spec, cluster: Cluster) -> bool:
    """Whether a cluster runs what this spec asks for, wherever and however often, and nobody has changed it by hand.

    Counts and regions were part of the digest once: a release of that time is known by those of its machines that were
    made then.
    """
    if any(machine.differs for machine in cluster.machines):
        return False
    if cluster.release.digest == spec.digest:
        return True
    old = Counter(machine.region for machine in cluster.machines if not machine.counts)
    return bool(old) and cluster.release.digest == spec.old_digest(dict(old))


def is_whole(spec: Spec, cluster: Cluster) -> bool:
    """Whether its machines are those that this spec wants, by name; what was added and given up does not count."""
    names = {machine.name for machine in _joined(cluster)}
    return names == _wanted(spec, cluster) and _misses_none(spec, cluster, names)


def scale(spec: Spec, current: Cluster, observation: Observation) -> Intent | None:
    """The intent that adds machines to the release that serves, or takes some away; ``None`` where it needs a rollout.

    That is so where any machine that stays is not in order, where another release is left, where a machine would leave
    others that fail their checks, and where one leaves that may hold state: within one release nobody would take over
    what it held (docs/adr/0010). Or that an old digest counts: nobody would know that release any more.
    """
    wanted, joined = _wanted(spec, current), _joined(current)
    kept = [machine for machine in joined if machine.name in wanted and machine.serving]
    leaving = [machine for machine in joined if machine.name not in wanted]
    cutover = current.machines[0].cutover
    changes = leaving or len(kept) < len(wanted)
    present = {m.name for m in current.machines if m.name in wanted or not m.unjoined}
    orderly = (
        kept
        and all(_in_order(machine, observation) for machine in kept)
        and all(m.added or m.serving for m in joined)
        and all(is_retired(m, observation) for m in observation.seen if m.release != current.release)
    )
    can_leave = (
        cutover == "overlap" and current.release.digest == spec.digest and all(map(reported_well, kept))
    )
    if not (changes and orderly and _misses_none(spec, current, present)) or (leaving and not can_leave):
        return None
    return Intent(
        "scale",
        spec,
        current.release,
        current.release,
        cutover,
        lost=lost(Cluster(current.release, tuple(leaving))),
        kept=frozenset(machine.name for machine in kept),
        leaving=frozenset(machine.name for machine in leaving),
    )


def _wanted(spec: Spec, cluster: Cluster) -> set[str]:
    return set(machine_names(spec.app, cluster.release, spec.regions))


def _joined(cluster: Cluster) -> list[MachineSeen]:
    return [machine for machine in cluster.machines if not machine.unjoined]


def _misses_none(spec: Spec, cluster: Cluster, present: set[str]) -> bool:
    """Whether every machine that it ever had is present. One that somebody removed may have held state, which only the
    next release takes over; without state nothing is missed.
    """
    return cluster.machines[0].cutover == "overlap" or ever_had(spec.app, _joined(cluster)) <= present


def ever_had(app: str, joined: Iterable[MachineSeen]) -> set[str]:
    """Names of all machines that a release had at any time, as far as those that are left of it tell."""
    return {name for m in joined for name in machine_names(app, m.release, dict(m.counts))}


def _in_order(machine: MachineSeen, observation: Observation) -> bool:
    owner = latest(observation)
    recorded = owner is not None and machine.serving == owner.number
    untouched = not (machine.cordoned or machine.draining or machine.secrets_of)
    return recorded and untouched and machine.state == "started" and machine.readable
