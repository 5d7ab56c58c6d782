"""Which releases own and owned the state, as far as an observation tells. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from providers.bluegreen.model import Cluster, MachineSeen, Observation, Ownership, Release, Unknown


def clusters(observation: Observation) -> list[Cluster]:
    """Our clusters, oldest first."""
    releases = sorted({machine.release for machine in observation.seen})
    return [Cluster(r, tuple(m for m in observation.seen if m.release == r)) for r in releases]


def _commits(observation: Observation) -> Iterator[Ownership]:
    """Every commit that something tells of: the state store, and what was written on machines.

    Routing itself proves nothing: whether a machine that was created unrouted shows as cordoned is undocumented
    (docs/adr/0002).
    """
    if isinstance(observation.record, Ownership):
        yield observation.record
    for machine in observation.seen:
        if machine.owner:
            yield machine.owner
        if machine.serving:
            yield Ownership(machine.serving, machine.release)
        if machine.warm:
            yield Ownership(machine.warm.number, machine.release)


def latest(observation: Observation) -> Ownership | None:
    """The latest commit: who owns the state."""
    return max(_commits(observation), default=None)


def rank(release: Release, observation: Observation) -> int:
    """The number of the latest commit that made this release the owner; 0 if none did."""
    return max((c.number for c in _commits(observation) if c.release == release), default=0)


def newest_committed(observation: Observation) -> Cluster | None:
    """The cluster that owns the state, as far as there are machines of it."""
    return next(iter(by_rank(observation)), None)


def by_rank(observation: Observation) -> list[Cluster]:
    """The clusters that own or owned the state, the owner first."""
    ranked = [(rank(cluster.release, observation), cluster) for cluster in clusters(observation)]
    ranked.sort(key=lambda pair: (pair[0], pair[1].release), reverse=True)
    return [cluster for number, cluster in ranked if number]


def is_retired(machine: MachineSeen, observation: Observation) -> bool:
    """Whether its cluster's retirement is written on it. One that has owned the state again since is not retired."""
    return machine.warm is not None and machine.warm.number == rank(machine.release, observation)


def is_warm(cluster: Cluster, observation: Observation) -> bool:
    """Whether a cluster that once served is kept, stopped, and not for too long yet."""
    return all(machine.state == "stopped" and in_time(machine, observation) for machine in cluster.machines)


def in_time(machine: MachineSeen, observation: Observation) -> bool:
    """Whether it is retired, and kept for some time yet."""
    return (
        is_retired(machine, observation) and machine.warm is not None and machine.warm.until > observation.at
    )


def is_settled(observation: Observation) -> bool:
    """Whether the machines alone tell who owns the state: one cluster serves, proven, beside none but warm ones."""
    owner = newest_committed(observation)
    if owner is None:
        return not observation.seen
    others = [machine for machine in observation.seen if machine.release != owner.release]
    serves = all(m.serving and m.state == "started" and not m.cordoned for m in owner.machines)
    return serves and all(m.state == "stopped" and is_retired(m, observation) for m in others)


def known(observation: Observation) -> bool:
    """Whether the parts that decisions rest on were seen."""
    parts = (observation.machines, observation.app_exists)
    return (
        not any(isinstance(part, Unknown) for part in parts) and observation.record is not Unknown.NO_RECORD
    )
