"""What Pulumi's state says of a deployment. No secret is among it, and nothing that only a log needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.bluegreen.model import Cluster, Outcome, Phase
from providers.bluegreen.spec import Spec

SERVING = "serving"


def of_cluster(cluster: Cluster | None) -> dict[str, Any]:
    """``{}`` where nothing serves."""
    if cluster is None:
        return {}
    return {
        "release": str(cluster.release),
        "machine_ids": sorted(machine.id for machine in cluster.machines),
        "regions": cluster.regions,
        "image_digest": next((m.image_digest for m in cluster.machines if m.image_digest), ""),
    }


def of_outcome(spec: Spec, outcome: Outcome, olds: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs after a success. An ``up`` that changed no machine keeps the last rollout's figures."""
    return {
        **of_observation(spec, outcome.serving, olds, unfinished=None),
        "app_created": bool(olds.get("app_created")) or outcome.app_created,
        **(_rollout(outcome) if outcome.phases else _kept(olds)),
    }


_ROLLOUT = ("handoff_window_seconds", "phases", "proven", "api_calls")


def _kept(olds: Mapping[str, Any]) -> dict[str, Any]:
    return {key: olds.get(key) for key in _ROLLOUT}


def _rollout(outcome: Outcome) -> dict[str, Any]:
    return {
        "handoff_window_seconds": outcome.window_s,
        "phases": [
            {"phase": str(p.phase), "started_at": p.started_at, "seconds": p.seconds} for p in outcome.phases
        ],
        "proven": {
            "rooms": sum(proof.rooms for proof in outcome.proofs),
            "objects": sum(proof.objects for proof in outcome.proofs),
            "bytes": sum(proof.bytes for proof in outcome.proofs),
        },
        "api_calls": outcome.api_calls,
    }


def of_observation(
    spec: Spec, serving: Cluster | None, olds: Mapping[str, Any], unfinished: Phase | None
) -> dict[str, Any]:
    """Who serves, and the phase at which the next ``up`` would go on where one was left unfinished."""
    return {
        "url": spec.url,
        "serving": of_cluster(serving),
        "release": str(serving.release) if serving else "",
        "generation": max(serving.release.generation if serving else 0, generation_of(olds)),
        "phase": str(unfinished) if unfinished else SERVING,
    }


def generation_of(olds: Mapping[str, Any]) -> int:
    """The highest generation that Pulumi's state knows of; 0 for none. It survives a world without machines."""
    return int(olds.get("generation") or 0)


def machine_ids_of(olds: Mapping[str, Any]) -> frozenset[str]:
    """The machines that serve by Pulumi's state."""
    return frozenset((olds.get("serving") or {}).get("machine_ids") or ())
