"""Which release is green and which is blue: decided once at the start of a run, here alone. Pure."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen.commits import by_rank, clusters, in_time, is_warm, newest_committed, rank
from providers.bluegreen.conditions import RUNNING
from providers.bluegreen.model import Cluster, Observation, Release
from providers.bluegreen.scaling import ever_had, is_of, is_whole, scale
from providers.bluegreen.scene import Goal, Intent, lost, machine_names
from providers.bluegreen.spec import Spec


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
    current = newest_committed(observation)
    contested = _contested(spec, observation, current)
    if goal == "destroy":
        nothing = Release(known_generation + 1, "destroy")
        return _intent(goal, spec, nothing, current, told_by=current)
    scaled = scale(spec, current, observation) if current and is_of(spec, current) else None
    if scaled:
        return scaled
    green = _green(spec, observation, current, Release(known_generation + 1, spec.digest, nonce))
    running = [c for c in by_rank(observation) if c == current or not is_warm(c, observation)]
    older = [cluster for cluster in running if cluster.release != green]
    unfinished = next((cluster for cluster in clusters(observation) if cluster.release == green), None)
    intent = _intent(goal, spec, green, older[0] if older else None, told_by=unfinished)
    return replace(intent, contested=contested)


def _intent(
    goal: Goal, spec: Spec, green: Release, blue: Cluster | None, *, told_by: Cluster | None
) -> Intent:
    """What began under one cutover ends under it: ``told_by`` is the cluster that records which."""
    cutover = told_by.machines[0].cutover if told_by else spec.cutover
    return Intent(goal, spec, green, blue.release if blue else None, cutover, lost=lost(blue))


def _contested(spec: Spec, observation: Observation, current: Cluster | None) -> bool:
    """A commit is sent only when every machine of the owner has stopped, and its release has machines by then."""
    if current is None or spec.state_store is None or any(m.state in RUNNING for m in current.machines):
        return False
    others = (m for m in observation.seen if m.release != current.release and m.cutover == "handoff")
    return any(not machine.unjoined and not rank(machine.release, observation) for machine in others)


def _green(spec: Spec, observation: Observation, current: Cluster | None, new: Release) -> Release:
    """The release that serves already, one that was begun, one that is kept warm, or a new one."""
    if current and is_of(spec, current) and is_whole(spec, current):
        return current.release
    found = clusters(observation)
    newest = found[-1] if found else None
    if newest and is_of(spec, newest) and _unfinished(spec, newest, observation):
        return newest.release
    for cluster in by_rank(observation):
        if is_of(spec, cluster) and is_whole(spec, cluster) and _reusable(cluster, observation):
            return cluster.release
    return replace(new, generation=max(new.generation, newest.release.generation + 1 if newest else 1))


def _unfinished(spec: Spec, cluster: Cluster, observation: Observation) -> bool:
    """Begun, never committed, not waiting for an approval that did not come in time, and for no machine too many: one
    that was never made would be missed later, as one that somebody removed (docs/adr/0010).
    """
    late = any(
        machine.approval_until and machine.approval_until <= observation.at for machine in cluster.machines
    )
    begun_for = {machine.name for machine in cluster.machines} | ever_had(spec.app, cluster.machines)
    fits = begun_for <= machine_names(spec.app, cluster.release, spec.regions).keys()
    return fits and not rank(cluster.release, observation) and not late


def _reusable(cluster: Cluster, observation: Observation) -> bool:
    """Kept warm and still in time, or started out of that by a run that was killed."""
    return all(in_time(machine, observation) and machine.cordoned for machine in cluster.machines)
