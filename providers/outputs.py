"""What Pulumi's state says of a deployment. No secret is among it, and nothing that only a log needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import SecretStr

from providers.bluegreen.model import Cluster, MachineSeen, Phase, Proof, Release
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.reasons import drift
from providers.bluegreen.scene import Scene, awaiting
from providers.bluegreen.spec import Spec

SERVING = "serving"
AWAITING = "awaiting approval"
BLUE_SECRETS = "blue_secret_env"


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


def of_machines(machines: Iterable[MachineSeen]) -> list[dict[str, Any]]:
    """The machines of the release that owns the state, by name. Of the environment the names alone."""
    return [
        {
            "id": machine.id,
            "name": machine.name,
            "region": machine.region,
            "state": machine.state,
            "cordoned": machine.cordoned,
            "image": machine.image,
            "env": list(machine.env),
            "checks": {check.name: "passing" if check.passing else "failing" for check in machine.checks},
        }
        for machine in sorted(machines, key=lambda machine: machine.name)
    ]


def of_outcome(
    spec: Spec, outcome: Outcome, olds: Mapping[str, Any], previous: Mapping[str, SecretStr | None]
) -> dict[str, Any]:
    """The outputs after a success. An ``up`` that changed no machine keeps the last rollout's figures."""
    return {
        **of_observation(spec, outcome.serving, olds, unfinished=None),
        "machines": of_machines(outcome.machines),
        "drift": [],
        **of_pending(outcome.pending),
        **of_blue_secrets(outcome, previous),
        "app_created": bool(olds.get("app_created")) or outcome.app_created,
        **(_rollout(outcome) if outcome.phases else _kept(olds)),
    }


def of_failure(
    spec: Spec,
    outcome: Outcome,
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    previous: Mapping[str, SecretStr | None],
) -> dict[str, Any] | None:
    """All that Pulumi's state is to say after a failure; ``None`` where it stays as it is.

    The inputs among it are those of the release that owns the state: the next run compares with them, and blue's
    secrets are found there. An abort has changed nothing, but for a first deploy's green that is kept on request.
    """
    phase = str(outcome.failure.phase) if outcome.failure else str(outcome.ending)
    match outcome.ending:
        case Ending.UNFINISHED if outcome.owner and outcome.owner.digest == spec.digest:
            return {**news, **of_outcome(spec, outcome, olds, previous), **_of_owner(outcome), "phase": phase}
        case Ending.ROLLED_BACK | Ending.UNFINISHED if olds and outcome.serving:
            return {
                **olds,
                **_serving(outcome.serving, olds),
                **_rollout(outcome),
                "phase": str(outcome.ending),
            }
        case Ending.UNKNOWN | Ending.TAKEN_OVER if olds:
            return {**olds, "phase": str(outcome.ending)}
        case Ending.UNKNOWN:
            return {**news, **of_outcome(spec, outcome, olds, previous), "phase": str(outcome.ending)}
        case Ending.ABORTED if not olds and outcome.left and outcome.owner is None:
            return {**news, **of_outcome(spec, outcome, olds, previous), "phase": phase}
    return None


def _of_owner(outcome: Outcome) -> dict[str, Any]:
    """Who owns the state, where none of its machines is known to be routed."""
    owner = None if outcome.serving else outcome.owner
    return {"release": str(owner), "generation": owner.generation} if owner else {}


def of_pending(release: Release | None) -> dict[str, Any]:
    """The release that waits for approval; ``""`` for none."""
    return {"pending_release": str(release), "phase": AWAITING} if release else {"pending_release": ""}


def of_blue_secrets(outcome: Outcome, previous: Mapping[str, SecretStr | None]) -> dict[str, Any]:
    """Blue's values of the secrets that green changed, as long as blue may need them again. Encrypted in the state."""
    kept = previous if outcome.pending or outcome.ending is Ending.UNFINISHED else {}
    return {BLUE_SECRETS: {name: value.get_secret_value() if value else None for name, value in kept.items()}}


def blue_secrets_of(olds: Mapping[str, Any]) -> dict[str, SecretStr | None]:
    """The values that ``of_blue_secrets`` kept."""
    kept = olds.get(BLUE_SECRETS) or {}
    return {name: SecretStr(value) if value is not None else None for name, value in kept.items()}


_ROLLOUT = ("handoff_window_seconds", "phases", "proven", "test_results", "api_calls")


def _kept(olds: Mapping[str, Any]) -> dict[str, Any]:
    return {key: olds.get(key) for key in _ROLLOUT}


def _rollout(outcome: Outcome) -> dict[str, Any]:
    return {
        "handoff_window_seconds": outcome.window_s,
        "phases": [
            {"phase": str(p.phase), "started_at": p.started_at, "seconds": p.seconds} for p in outcome.phases
        ],
        "proven": _proven(outcome.proofs),
        "test_results": [asdict(test) for test in outcome.tests],
        "api_calls": outcome.api_calls,
    }


def _proven(proofs: Sequence[Proof]) -> dict[str, float]:
    """The figures of all machines; where anything was proven at all, also when, and how long the slowest took."""
    figures: dict[str, float] = {
        part: sum(getattr(proof, part) for proof in proofs) for part in ("rooms", "objects", "bytes")
    }
    if not proofs:
        return figures
    began = min(proof.started_at for proof in proofs)
    ended = max(proof.started_at + proof.seconds for proof in proofs)
    return figures | {"started_at": began, "seconds": ended - began}


def of_scene(spec: Spec, scene: Scene, olds: Mapping[str, Any], unfinished: Phase | None) -> dict[str, Any]:
    """What a refresh finds, as far as it is of now."""
    return {
        **of_observation(spec, scene.serving, olds, unfinished),
        **of_pending(awaiting(scene)),
        "machines": of_machines(scene.owners),
        "drift": drift(scene),
    }


def of_observation(
    spec: Spec, serving: Cluster | None, olds: Mapping[str, Any], unfinished: Phase | None
) -> dict[str, Any]:
    """Who serves, and the phase at which the next ``up`` would go on where one was left unfinished."""
    return {
        "url": spec.url,
        **_serving(serving, olds),
        "phase": str(unfinished) if unfinished else SERVING,
    }


def _serving(serving: Cluster | None, olds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "serving": of_cluster(serving),
        "release": str(serving.release) if serving else "",
        "generation": max(serving.release.generation if serving else 0, generation_of(olds)),
    }


def generation_of(olds: Mapping[str, Any]) -> int:
    """The highest generation that Pulumi's state knows of; 0 for none. It survives a world without machines."""
    return int(olds.get("generation") or 0)


def machine_ids_of(olds: Mapping[str, Any]) -> frozenset[str]:
    """The machines that serve by Pulumi's state."""
    return frozenset((olds.get("serving") or {}).get("machine_ids") or ())
