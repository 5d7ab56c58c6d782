"""The panel of the phases: a staircase, and below each phase what was tested and proven in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes

from demo.picture.panels import name
from demo.picture.theme import INK, STEP, WINDOW_INK
from demo.summary import describe_saved
from demo.timeline import Span, Timeline

CHARACTER_SHARE = 0.0075
"""What a character takes of the axis: a text that is longer than the room on its right stands on the left."""
SHORTEST_SHARE = 0.003
"""A bar is drawn no shorter than this part of the axis, so that it can be seen."""


@dataclass(frozen=True, slots=True)
class Row:
    """One bar and the text beside it."""

    span: Span
    text: str
    colour: str
    height: float


def list_rows(timeline: Timeline) -> list[Row]:
    """Every phase of the rollout, each followed by its own tests and proof."""
    inner = sorted(_list_inner(timeline), key=lambda row: row.span.start)
    rows = []
    for phase in timeline.releases[-1].phases:
        rows.append(Row(phase, f"{phase.name}  {phase.seconds:.2f} s", INK, 0.7))
        rows += [row for row in inner if phase.start <= row.span.start < phase.end]
    return rows


def draw_phases(axes: Axes, timeline: Timeline) -> None:
    """The rows from top to bottom, each with its name and duration beside it."""
    rows = list_rows(timeline)
    for number, row in enumerate(rows):
        _draw_row(axes, row, number)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    name(axes, f"phases of the rollout ({timeline.cutover})")


def _list_inner(timeline: Timeline) -> Iterator[Row]:
    for test in timeline.tests:
        yield Row(test, f"test {test.name} passed  {test.seconds:.2f} s", STEP, 0.5)
    if proof := timeline.proof:
        text = f"proof: {describe_saved(proof)} saved  {proof.seconds:.2f} s"
        yield Row(Span("proof", proof.start, proof.end), text, WINDOW_INK, 0.5)


def _draw_row(axes: Axes, row: Row, number: int) -> None:
    left, right = axes.get_xlim()
    width = max(row.span.seconds, SHORTEST_SHARE * (right - left))
    axes.barh(number, width, left=row.span.start, height=row.height, color=row.colour)
    end = row.span.start + width
    fits = CHARACTER_SHARE * len(row.text) < (right - end) / (right - left)
    axes.annotate(
        row.text,
        (end if fits else row.span.start, number),
        (5 if fits else -5, 0),
        textcoords="offset points",
        ha="left" if fits else "right",
        va="center_baseline",
        color=row.colour if row.colour == WINDOW_INK else INK,
    )
