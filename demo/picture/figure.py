"""The whole picture: a title that says the result, panels on one time axis, and a zoom into the switch."""

from __future__ import annotations

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from demo.picture.lanes import draw_machines
from demo.picture.panels import draw_acks, draw_sockets
from demo.picture.phases import draw_phases
from demo.picture.shade import ink, shade
from demo.picture.theme import QUIET, STYLE
from demo.picture.zoom import draw_zoom, focus
from demo.summary import headline
from demo.timeline import Timeline

INCHES = (12.0, 12.2)
DOTS_PER_INCH = 110
BEFORE_SECONDS = 2.0
AFTER_SECONDS = 2.0
PANELS = ((draw_phases, 1.5), (draw_machines, 2.1), (draw_sockets, 0.9), (draw_acks, 1.1))
"""What is drawn, top to bottom, and how high, relative to each other and to the zoom."""
ZOOM_HEIGHT = 3.4


def render(timeline: Timeline) -> dict[str, bytes]:
    """The picture as files, by their endings: svg and png."""
    with mpl.rc_context(STYLE):
        return save(draw(timeline))


def draw(timeline: Timeline) -> Figure:
    """The picture as a figure; its look needs matplotlib's STYLE."""
    figure = Figure(INCHES, dpi=DOTS_PER_INCH, facecolor="white")
    heights = [height for _, height in PANELS] + [ZOOM_HEIGHT]
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, left=0.095, right=0.98, top=0.895, bottom=0.05, hspace=0.3
    )
    figure.text(0.02, 0.963, headline(timeline), size=15, weight="bold")
    figure.text(0.02, 0.938, describe(timeline), color=QUIET)
    for row, (fill, _) in enumerate(PANELS):
        axes = figure.add_subplot(grid[row])
        axes.set_xlim(*visible(timeline))
        fill(axes, timeline)
        shade(axes, timeline)
        axes.tick_params(axis="x", length=0, labelbottom=row == len(PANELS) - 1)
    zoom = figure.add_subplot(grid[-1])
    draw_zoom(zoom, timeline)
    shade(zoom, timeline)
    _connect(figure, axes, zoom, timeline)
    return figure


def describe(timeline: Timeline) -> str:
    """The line below the title."""
    before, after = (release.version for release in timeline.releases)
    regions = [
        machine.region for machine in timeline.machines if machine.release == timeline.releases[-1].release
    ]
    order = {
        "handoff": f"{before} saves its state before {after} gets traffic",
        "overlap": f"{after} gets traffic before {before} has saved its state",
    }
    return (
        f"{timeline.app} {before} → {after}: {len(regions)} machines in {' and '.join(sorted(set(regions)))}, "
        f"state in memory, players connected all the time; {order[timeline.cutover]}"
    )


def visible(timeline: Timeline) -> tuple[float, float]:
    """The part of the timeline that the panels show: the rollout and some seconds around it."""
    phases = timeline.releases[-1].phases
    return max(timeline.start, -BEFORE_SECONDS), min(timeline.end, phases[-1].end + AFTER_SECONDS)


def _connect(figure: Figure, above: Axes, zoom: Axes, timeline: Timeline) -> None:
    """Lines from the zoomed part of the time axis to the zoom's corners."""
    span = focus(timeline)
    for at in (span.start, span.end):
        line = ConnectionPatch(
            (at, 0),
            (at, 1),
            above.get_xaxis_transform(),
            zoom.get_xaxis_transform(),
            color=ink(timeline),
            linewidth=0.7,
            linestyle=(0, (4, 3)),
        )
        figure.add_artist(line)


def save(figure: Figure) -> dict[str, bytes]:
    """A figure as files, by their endings."""
    return {kind: _save(figure, kind) for kind in ("svg", "png")}


def _save(figure: Figure, kind: str) -> bytes:
    file = io.BytesIO()
    # Without the date the same run gives the same bytes.
    figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()
