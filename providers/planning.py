"""What a preview shows of a resource: what changes, why, the rollout, and what lives on its machines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from providers.bluegreen import report
from providers.bluegreen.adopted import warnings
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.plan_json import VERSION, plan_json
from providers.bluegreen.reasons import refused
from providers.bluegreen.scene import Scene
from providers.live import Live


@dataclass(frozen=True)
class Planned:
    """A look at the world before a run, and the run as it would be.

    ``changes``: of the inputs, one line each. ``known_later``: keys whose values only other resources will tell.
    """

    scene: Scene
    steps: list[PlannedStep]
    live: Live | None
    changes: Sequence[str] = ()
    known_later: Sequence[str] = ()


def plan_text(planned: Planned) -> str:
    """What people read; ``""`` where nothing changes."""
    changes = [f"  change: {change}" for change in planned.changes]
    if told := refused(planned.scene):
        return "\n".join([*told, *changes])
    others = [f"  {warning}" for warning in warnings(planned.scene.observation)]
    if not planned.steps:
        untouched = ["no machine is touched", *changes] if changes or others else []
        return "\n".join(untouched + others)
    headline, *rollout = report.plan_lines(planned.scene, planned.steps, planned.known_later)
    return "\n".join([headline, *changes, *others, *_of_live(planned), *rollout])


def _of_live(planned: Planned) -> list[str]:
    serving = planned.scene.serving
    return [f"  live: {planned.live} (release {serving.release})"] if planned.live and serving else []


def plan_document(planned: Planned) -> dict[str, Any]:
    """The same for programs: ``plan_json``, and what only Pulumi knows. A run that refuses has no phases."""
    document = plan_json(planned.scene, [] if refused(planned.scene) else planned.steps)
    if planned.known_later:
        document["green"] = None
    return document | {
        "changes": list(planned.changes),
        "known_later": list(planned.known_later),
        "live": asdict(planned.live) if planned.live else None,
    }


def unplanned(app: str, **why: str) -> dict[str, Any]:
    """The document of an app whose rollout cannot be told: ``error``, or which app it ``replaces``."""
    return {"version": VERSION, "app": app, **why}
