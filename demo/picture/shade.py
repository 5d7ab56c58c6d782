"""The time that each panel marks: nobody served (the handoff window), or both clusters did (overlap)."""

from __future__ import annotations

from matplotlib.axes import Axes

from demo.picture.theme import OVERLAP, OVERLAP_INK, WINDOW, WINDOW_INK
from demo.timeline import Timeline


def shade(axes: Axes, timeline: Timeline) -> None:
    """Shade it behind everything else, over a panel's whole height."""
    for span, colour in ((timeline.window, WINDOW), (timeline.overlap, OVERLAP)):
        if span:
            axes.axvspan(span.start, span.end, color=colour, zorder=0, linewidth=0)


def ink(timeline: Timeline) -> str:
    """The colour of what is written or drawn about that time."""
    return WINDOW_INK if timeline.window else OVERLAP_INK
