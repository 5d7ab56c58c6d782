"""A plan as JSON, for CI and for other programs: the same scene and steps that people's lines are made of. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from providers.bluegreen import report
from providers.bluegreen.fates import fates
from providers.bluegreen.model import Release
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.reasons import reasons
from providers.bluegreen.scene import Scene

VERSION = 1
"""Of this document's shape. It grows with each change that a reader would notice."""


def plan_json(scene: Scene, steps: list[PlannedStep]) -> dict[str, Any]:
    """The rollout from here as plain JSON values; ``phases`` is empty where nothing is to do.

    Releases are text, ``null`` for none. Durations end in ``_s`` (seconds). ``machines`` names them, by what becomes of
    them and by region; a step's ``machines`` are counts by region. No secret is in it: values are in no plan.
    """
    intent = scene.intent
    return {
        "version": VERSION,
        "app": intent.spec.app,
        "goal": intent.goal,
        "cutover": intent.cutover,
        "serving": _name(scene.serving.release if scene.serving else None),
        "blue": _name(intent.blue),
        "green": None if intent.goal == "destroy" else report.green_text(scene),
        "reasons": reasons(scene),
        "phases": _phases(scene, steps),
        "machines": fates(scene, steps).as_dict(),
        "handoff_window": _window(scene, steps),
        "notes": report.notes(scene, steps),
    }


def _name(release: Release | None) -> str | None:
    return str(release) if release else None


def _phases(scene: Scene, steps: list[PlannedStep]) -> list[dict[str, Any]]:
    return [
        {
            "phase": str(phase),
            "deadline_s": scene.intent.spec.deadline_s(phase),
            "steps": [_step(step) for step in group],
        }
        for phase, group in groupby(steps, key=lambda step: step.phase)
    ]


def _step(step: PlannedStep) -> dict[str, Any]:
    return {
        "do": str(step.do),
        "on": str(step.on),
        "subject": step.subject,
        "machines": step.machines,
        "gate": step.gate,
        "commit": step.commit,
    }


def _window(scene: Scene, steps: list[PlannedStep]) -> dict[str, float] | None:
    longest_s = report.window_s(scene, steps)
    return None if longest_s is None else {"at_most_s": longest_s}
