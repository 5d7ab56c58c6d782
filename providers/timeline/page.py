"""A timeline as one HTML file that needs nothing else: no script, no font, no picture, no network.

Everything in it is escaped by the template engine, and a content security policy forbids scripts and requests as well:
names, check outputs and reasons come from machines and apps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2

from providers.bluegreen.lifecycle import Do
from providers.timeline import drawing
from providers.timeline.lanes import KINDS, stretches
from providers.timeline.model import StepSpan, Timeline


@dataclass(frozen=True)
class Gate:
    """One row of the evidence: what had to hold, whether it did, and what was found."""

    step: StepSpan
    found: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.step.reasons


def render(timeline: Timeline) -> str:
    """The page."""
    return _template().render(
        deploy=timeline,
        whole=drawing.whole(timeline),
        windows=[(one, drawing.window(timeline, one)) for one in timeline.windows],
        gates=[Gate(step, _found(timeline, step)) for step in timeline.steps if step.gate],
        figures=_figures(timeline),
        kinds=KINDS,
        ill=any(one.ill for machine in timeline.machines for one in stretches(machine, timeline.ended_at)),
        width=drawing.WIDTH,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seconds"] = drawing.seconds
    environment.filters["clock"] = lambda at: f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-3]
    environment.filters["date"] = lambda at: f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return environment.get_template("page.html.j2")


def _found(timeline: Timeline, step: StepSpan) -> tuple[str, ...]:
    """The evidence of one gate."""
    if step.reasons:
        return step.reasons
    if step.name.startswith(f"{Do.TEST} "):
        return tuple(t.summary for t in timeline.tests if t.summary and f"{Do.TEST} {t.name}" in step.name)
    if step.name.startswith(Do.PROVE_SAVED) and timeline.proofs:
        return (_proven(timeline),)
    return (f"on {step.machines} {'machine' if step.machines == 1 else 'machines'}",) if step.machines else ()


def _proven(timeline: Timeline) -> str:
    rooms, objects = (sum(getattr(p, key) for p in timeline.proofs) for key in ("rooms", "objects"))
    return f"{rooms:,} rooms, {objects:,} objects, {sum(p.bytes for p in timeline.proofs):,} bytes in S3"


def _figures(timeline: Timeline) -> list[tuple[str, str]]:
    """The large numbers at the top of the page."""
    made = [("took", drawing.seconds(timeline.ended_at - timeline.started_at))]
    closed = [one.closed_at - one.opened_at for one in timeline.windows if one.closed_at is not None]
    if timeline.windows:
        made.append(("handoff window", drawing.seconds(sum(closed)) if closed else "never closed"))
    if timeline.proofs and all(not proof.faults for proof in timeline.proofs):
        made += [
            ("rooms proven", f"{sum(proof.rooms for proof in timeline.proofs):,}"),
            ("objects proven", f"{sum(proof.objects for proof in timeline.proofs):,}"),
            ("bytes proven", f"{sum(proof.bytes for proof in timeline.proofs):,}"),
        ]
    if timeline.tests:
        made.append(("tests passed", str(len(timeline.tests))))
    return [*made, ("API calls", str(timeline.api_calls))]
