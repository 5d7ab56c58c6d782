"""The moments around the switch: every acknowledged edit is a dot, so that what players waited for is blank."""

from __future__ import annotations

from matplotlib.axes import Axes

from demo.picture.theme import INK, QUIET, RELEASE, WINDOW_INK
from demo.summary import describe_wait
from demo.timeline import Span, Timeline

AROUND_SECONDS = 1.0
LINE_SHARE = 0.13
"""The height of a line of text above the dots, of the dots' height."""


def focus(timeline: Timeline) -> Span:
    """What the zoom is about: the window, else the drain, else the switch of the routes."""
    phases = timeline.releases[-1].phases
    return timeline.window or timeline.drain or phases[-1]


def draw_zoom(axes: Axes, timeline: Timeline) -> None:
    """A row for each player, a dot for each acknowledged edit; above them the window and the drain."""
    rows = 1 + max((dot.player for dot in timeline.dots), default=0)
    middle = focus(timeline)
    axes.set_xlim(middle.start - AROUND_SECONDS, middle.end + AROUND_SECONDS)
    for release in timeline.releases:
        dots = [dot for dot in timeline.dots if dot.release == release.release]
        at, players = [dot.at for dot in dots], [dot.player for dot in dots]
        axes.scatter(at, players, s=10, color=RELEASE[release.colour], linewidths=0)
    notes = _list_notes(timeline)
    for line, (span, text, colour) in enumerate(notes):
        _measure(axes, span, text, colour, -rows * LINE_SHARE * (len(notes) - line))
    axes.set_ylim(rows, -rows * LINE_SHARE * (len(notes) + 0.7))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("seconds since the rollout began")
    axes.text(
        0,
        0.98,
        "each row a player,\neach dot an acknowledged edit",
        transform=axes.transAxes,
        va="top",
        color=QUIET,
    )
    if timeline.window:
        _say_gap(axes, timeline.window, describe_wait(timeline.verdict), rows / 2)


def _list_notes(timeline: Timeline) -> list[tuple[Span, str, str]]:
    notes = []
    if timeline.window:
        text = f"handoff window {timeline.window.seconds:.2f} s"
        notes.append((timeline.window, text, WINDOW_INK))
    if timeline.drain:
        text = f"the app’s own drain {timeline.drain.seconds:.2f} s ({timeline.drain.name})"
        notes.append((timeline.drain, text, INK))
    return notes


def _say_gap(axes: Axes, window: Span, gap: str, height: float) -> None:
    middle = (window.start + window.end) / 2
    axes.text(middle, height, gap, ha="center", va="center", color=WINDOW_INK, linespacing=1.5)


def _measure(axes: Axes, span: Span, text: str, colour: str, height: float) -> None:
    arrow = {"arrowstyle": "|-|, widthA=0.25, widthB=0.25", "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (span.start, height), (span.end, height), arrowprops=arrow)
    axes.annotate(
        text,
        (span.end, height),
        (7, 0),
        textcoords="offset points",
        va="center_baseline",
        color=colour,
        weight="bold",
    )
