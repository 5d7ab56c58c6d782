"""The moments around the switch: every acknowledged edit is a dot, so that what players waited for is blank."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes

from demo.picture.theme import INK, LOST, OVERLAP_INK, QUIET, RELEASE, WINDOW_INK
from demo.summary import describe_saved, describe_wait
from demo.timeline import Span, Timeline

BEFORE_SECONDS = 1.0
AFTER_SHARE = 0.75
"""What follows the window, as a share of what comes before its end: room for the longest text beside the bars."""
LINE_SHARE = 0.12
"""The height of a line of text above the dots, of the dots' height."""
Note = tuple[Span, str, str]
"""A bar above the dots, the text beside it, its colour."""


def focus(timeline: Timeline) -> Span:
    """What the zoom is about: the window, else the time of both clusters, else the last phase."""
    return timeline.window or timeline.overlap or timeline.releases[-1].phases[-1]


def draw_zoom(axes: Axes, timeline: Timeline) -> None:
    """A row for each player, a dot for each acknowledged edit; above them the window and its parts."""
    rows = 1 + max((dot.player for dot in timeline.dots), default=0)
    middle = focus(timeline)
    left = middle.start - BEFORE_SECONDS
    axes.set_xlim(left, middle.end + AFTER_SHARE * (middle.end - left))
    _draw_dots(axes, timeline)
    notes = list(list_notes(timeline))
    for line, note in enumerate(notes):
        _measure(axes, note, middle.end, -rows * LINE_SHARE * (len(notes) - line))
    axes.set_ylim(rows, -rows * LINE_SHARE * (len(notes) + 0.7))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("seconds since the rollout began")
    key = "each row a player,\neach dot an acknowledged edit" + (
        ", red: lost" if timeline.verdict.lost else ""
    )
    axes.text(0, 0.98, key, transform=axes.transAxes, va="top", color=QUIET)
    if timeline.window:
        _say_gap(axes, timeline.window, describe_wait(timeline.verdict), rows / 2)


def list_notes(timeline: Timeline) -> Iterator[Note]:
    """The window and its parts, one after the other; else the time in which both clusters served."""
    if timeline.overlap:
        yield timeline.overlap, f"both clusters serve {timeline.overlap.seconds:.2f} s", OVERLAP_INK
    if timeline.window:
        yield timeline.window, f"handoff window {timeline.window.seconds:.2f} s", WINDOW_INK
    for part in timeline.parts:
        yield part, f"{part.name} {part.seconds:.2f} s: {_describe(part, timeline)}", INK


def _describe(part: Span, timeline: Timeline) -> str:
    old, new = (release.version for release in timeline.releases)
    saved = describe_saved(timeline.proof) if timeline.proof else ""
    return {
        "drain": f"{old} takes no more edits, and saves",
        "proof": f"{saved} saved",
        "stop": f"{old} exits",
        "commit": f"{new} owns the state",
        "route": f"{new} answers from outside",
    }[part.name]


def _draw_dots(axes: Axes, timeline: Timeline) -> None:
    for release in timeline.releases:
        for lost, colour in ((False, RELEASE[release.colour]), (True, LOST)):
            dots = [dot for dot in timeline.dots if (dot.release, dot.lost) == (release.release, lost)]
            at, players = [dot.at for dot in dots], [dot.player for dot in dots]
            axes.scatter(at, players, s=10, color=colour, linewidths=0)


def _say_gap(axes: Axes, window: Span, gap: str, height: float) -> None:
    middle = (window.start + window.end) / 2
    axes.text(middle, height, gap, ha="center", va="center", color=WINDOW_INK, linespacing=1.5)


def _measure(axes: Axes, note: Note, column: float, height: float) -> None:
    span, text, colour = note
    arrow = {"arrowstyle": "|-|, widthA=0.25, widthB=0.25", "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (span.start, height), (span.end, height), arrowprops=arrow)
    axes.annotate(
        text,
        (column, height),
        (7, 0),
        textcoords="offset points",
        va="center_baseline",
        color=colour,
        weight="normal" if colour == INK else "bold",
    )
