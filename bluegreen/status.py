"""What serves, and what is unfinished, from what Fly and the state store show: no configuration is asked. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.bluegreen.commits import clusters, is_warm, latest, newest_committed, rank
from providers.bluegreen.model import Cluster, MachineSeen, Observation
from providers.fly.types import LeaseSeen

VERSION = 1
Leases = Mapping[str, LeaseSeen]


def status(app: str, observation: Observation, leases: Leases, strangers: int = 0) -> dict[str, Any]:
    """As JSON: who serves, what is unfinished (a line each), who deploys, and the tree of clusters, regions, machines.

    ``strangers``: machines of the app that are not ours. Times are epoch seconds.
    """
    owner = newest_committed(observation)
    routed = [machine for machine in owner.machines if _routed(machine, observation)] if owner else []
    return {
        "version": VERSION,
        "app": app,
        "exists": observation.app_exists is True,
        "serving": {"release": str(owner.release), "machines": len(routed)} if owner and routed else None,
        "owner": str(owner.release) if owner else None,
        "unfinished": list(_unfinished(observation, owner)),
        "deploying": sorted({lease.description or lease.owner for lease in leases.values()}),
        "clusters": [_cluster(cluster, observation, leases) for cluster in reversed(clusters(observation))],
        "tasks": len(observation.tasks),
        "strangers": strangers,
    }


def _routed(machine: MachineSeen, observation: Observation) -> bool:
    """As far as is recorded: its routing was proven under the latest commit, and nothing shows otherwise."""
    commit = latest(observation)
    reachable = machine.state == "started" and not machine.cordoned
    return reachable and commit is not None and machine.serving == commit.number


def _unfinished(observation: Observation, owner: Cluster | None) -> Iterator[str]:
    if owner is None and observation.seen:
        yield "no release owns the state yet"
    for machine in owner.machines if owner else ():
        yield from _of_owner(machine, observation)
    for cluster in clusters(observation):
        standing = _standing(cluster, observation)
        if standing in (BEGUN, WAITS, LEFT):
            yield f"release {cluster.release} {standing}"
    if observation.tasks:
        yield f"{len(observation.tasks)} short-lived machines of a run are left"


def _of_owner(machine: MachineSeen, observation: Observation) -> Iterator[str]:
    name = f"machine {machine.id} ({machine.name})"
    failing = [check.name for check in machine.checks if not check.passing]
    if not machine.readable:
        yield f"{name}: its host does not answer"
    elif machine.state != "started" or machine.cordoned:
        yield f"{name} is {machine.state}{', cordoned' if machine.cordoned else ''}"
    elif not _routed(machine, observation):
        yield f"{name}: its routing was not proven since the last commit"
    elif failing:
        yield f"{name} runs, and {', '.join(failing)} does not pass"


OWNS, WARM = "owns the state", "is kept warm"
BEGUN, WAITS, LEFT = (
    "was begun and never committed",
    "waits for approval",
    "has served before and is not removed yet",
)


def _standing(cluster: Cluster, observation: Observation) -> str:
    owner = newest_committed(observation)
    if owner and cluster.release == owner.release:
        return OWNS
    if is_warm(cluster, observation):
        return WARM
    if rank(cluster.release, observation):
        return LEFT
    return WAITS if all(m.approval_until > observation.at for m in cluster.machines) else BEGUN


def _cluster(cluster: Cluster, observation: Observation, leases: Leases) -> dict[str, Any]:
    regions: dict[str, list[dict[str, Any]]] = {}
    for machine in sorted(cluster.machines, key=lambda machine: (machine.region, machine.name)):
        shown = _machine(machine, observation, leases.get(machine.id))
        regions.setdefault(machine.region, []).append(shown)
    digest = next((machine.image_digest for machine in cluster.machines if machine.image_digest), "")
    return {
        "release": str(cluster.release),
        "standing": _standing(cluster, observation),
        "image_digest": digest,
        "regions": regions,
    }


def _machine(machine: MachineSeen, observation: Observation, lease: LeaseSeen | None) -> dict[str, Any]:
    checks = [{"name": c.name, "passing": c.passing, "output": c.output} for c in machine.checks]
    return {
        "id": machine.id,
        "name": machine.name,
        "state": machine.state,
        "cordoned": machine.cordoned,
        "routed": _routed(machine, observation),
        "host_answers": machine.readable,
        "draining": machine.draining is not None,
        "checks": checks,
        "lease": lease and {"by": lease.description or lease.owner, "expires_at": lease.expires_at},
    }
