"""Two runs of the same deploy, one below the other, on a time axis that begins with the switch of each."""

from __future__ import annotations

import math

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo.picture.figure import DOTS_PER_INCH, save
from demo.picture.lanes import draw_machines
from demo.picture.panels import draw_acks
from demo.picture.shade import ink, shade
from demo.picture.theme import INK, STYLE
from demo.picture.zoom import focus
from demo.summary import describe_gap, headline
from demo.timeline import Timeline

INCHES = (12.0, 9.6)
BEFORE_SECONDS = 3
AFTER_SECONDS = 2
"""Whole seconds before the switch, and at least so many after the longer one."""
TITLE = "The same deploy under the same load, in two orders"
ORDERS = {
    "handoff": "{old} saves, it is proven, then {new} is routed: nobody is served for {seconds:.2f} s",
    "overlap": "Fly's own order: {new} is routed, then {old} is stopped: both serve for {seconds:.2f} s",
}
PANELS = ((draw_machines, 2.1), (draw_acks, 1.2))
"""What is drawn of each run, and how high, relative to each other."""


def render_comparison(first: Timeline, second: Timeline) -> dict[str, bytes]:
    """The picture as files, by their endings: svg and png."""
    with mpl.rc_context(STYLE):
        return save(draw_comparison(first, second))


def draw_comparison(first: Timeline, second: Timeline) -> Figure:
    """The picture as a figure; its look needs matplotlib's STYLE."""
    figure = Figure(INCHES, dpi=DOTS_PER_INCH, facecolor="white")
    runs = figure.add_gridspec(2, 1, left=0.095, right=0.98, top=0.83, bottom=0.065, hspace=0.42)
    figure.text(0.0232, 0.955, TITLE, size=15, weight="bold")
    after = AFTER_SECONDS + math.ceil(max(focus(timeline).seconds for timeline in (first, second)))
    for run, timeline in enumerate((first, second)):
        panels = runs[run].subgridspec(len(PANELS), 1, height_ratios=[high for _, high in PANELS], hspace=0.3)
        drawn = [figure.add_subplot(panels[row]) for row in range(len(PANELS))]
        for axes, (fill, _) in zip(drawn, PANELS, strict=True):
            _draw_panel(axes, timeline, after)
            fill(axes, timeline)
        drawn[-1].tick_params(labelbottom=True)
        _say_result(drawn[0], timeline)
    drawn[-1].set_xlabel("seconds since the switch began")
    return figure


def _draw_panel(axes: Axes, timeline: Timeline, after: int) -> None:
    """The time axis: each run's own, counted from its switch."""
    start = focus(timeline).start
    seconds = range(-BEFORE_SECONDS, after + 1)
    axes.set_xlim(start - BEFORE_SECONDS, start + after)
    axes.set_xticks([start + second for second in seconds], [f"{second}" for second in seconds])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    shade(axes, timeline)


def _say_result(axes: Axes, timeline: Timeline) -> None:
    """Above a run: its result, and the order that led to it."""
    old, new = (release.version for release in timeline.releases)
    order = ORDERS[timeline.cutover].format(old=old, new=new, seconds=focus(timeline).seconds)
    gap = f"gap {describe_gap(timeline.verdict)}"
    for text, height, style in (
        (f"{timeline.cutover}: {headline(timeline)}", 42, {"size": 12, "weight": "bold", "color": INK}),
        (f"{order}; {gap}", 26, {"color": ink(timeline)}),
    ):
        axes.annotate(
            text, (0, 1), (-62, height), xycoords="axes fraction", textcoords="offset points", **style
        )
