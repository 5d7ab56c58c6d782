"""A plan as people read it, phase by phase, as a preview shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from providers.bluegreen import durations
from providers.bluegreen.fates import fates
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Cluster
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.reasons import reasons
from providers.bluegreen.report.counted import machines
from providers.bluegreen.report.plan_notes import notes
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec


def plan_lines(scene: Scene, steps: list[PlannedStep], known_later: Sequence[str] = ()) -> list[str]:
    """The rollout, phase by phase, as a preview shows it. ``known_later``: keys whose values nobody knows yet."""
    intent = scene.intent
    lines = [_headline(scene, known_later)]
    lines += [f"  why: {reason}" for reason in reasons(scene)]
    for phase, group in groupby(steps, key=lambda step: step.phase):
        deadline = durations.text(intent.spec.deadline_s(phase))
        lines.append(f"  {phase} (within {deadline})")
        lines += [f"    {_step_line(step, intent.spec)}" for step in group]
    if becomes := fates_text(scene, steps):
        lines.append(f"  machines: {becomes}")
    return lines + [f"  {note}" for note in notes(scene, steps)]


def _headline(scene: Scene, known_later: Sequence[str]) -> str:
    intent = scene.intent
    blue = f"blue {intent.blue}" if intent.blue else "no blue: the first deploy"
    if intent.goal == "destroy":
        return f"destroy of {intent.spec.app}: {blue} is drained and saved first"
    if intent.goal == "scale":
        kept = Cluster(intent.release, tuple(m for m in scene.observation.seen if m.name in intent.kept))
        stays = f"{machines(kept.regions)} {'is' if len(kept.machines) == 1 else 'are'} not touched"
        return f"scale of {intent.spec.app} ({intent.cutover}): release {intent.release} stays; {stays}"
    return f"rollout of {intent.spec.app} ({intent.cutover}): {blue} → green {green_text(scene, known_later)}"


def green_text(scene: Scene, known_later: Sequence[str] = ()) -> str:
    """Green's name, as far as it is one: a nonce is drawn when its machines are made, a digest needs all values."""
    release = scene.intent.release
    if scene.green:
        return str(release)
    return f"{release.generation}, known later" if known_later else str(replace(release, nonce=""))


def fates_text(scene: Scene, steps: list[PlannedStep]) -> str:
    """``"created 2 (ams 1, iad 1); drained 2 (ams 1, iad 1); destroyed 2 (ams 1, iad 1)"``."""
    told = [
        f"{fate.replace('_', ' ')} {sum(map(len, names.values()))} ({_counts(names)})"
        for fate, names in fates(scene, steps).as_dict().items()
        if names
    ]
    return "; ".join(told)


def _counts(names: Mapping[str, list[str]]) -> str:
    return ", ".join(f"{region} {len(of_region)}" for region, of_region in names.items())


def _step_line(step: PlannedStep, spec: Spec) -> str:
    where = f": {machines(step.machines)}" if step.machines else ""
    names = [mark for mark, holds in (("gate", step.gate), ("commit point", step.commit)) if holds]
    marks = f" [{', '.join(names)}]" if names else ""
    return f"{step.do}{_detail(step, spec)}{where}{marks}"


def _detail(step: PlannedStep, spec: Spec) -> str:
    """What is particular to one step, from the configuration."""
    if step.subject:
        test = next(test for test in spec.tests if test.name == step.subject)
        return f" {test.name} ({test.type}, {test.scope}, within {test.deadline})"
    told = {
        Do.STAY_HEALTHY: f" (for {spec.min_healthy})",
        Do.BAKE: f" (for {spec.bake})",
        Do.KEEP_WARM: f" (for {spec.keep_warm})",
    }
    return told.get(step.do, "")
