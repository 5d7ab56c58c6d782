"""The panels of phases, sockets and edits; they share the machines' time axis."""

from __future__ import annotations

from matplotlib.axes import Axes

from demo.picture.theme import LOST, QUIET, RELEASE
from demo.timeline import BIN_SECONDS, Steps, Timeline

HEADROOM = 1.15
LOST_OFFSET = 170.0


def draw_sockets(axes: Axes, timeline: Timeline) -> None:
    """Open WebSockets to each release."""
    for release in timeline.releases:
        at, counts = _corners(release.sockets, timeline.end)
        axes.fill_between(at, counts, step="post", color=RELEASE[release.colour], linewidth=0)
    most = max((count for release in timeline.releases for _, count in release.sockets), default=1)
    axes.set_ylim(0, most * HEADROOM)
    name(axes, "open sockets")


def draw_acks(axes: Axes, timeline: Timeline) -> None:
    """Acknowledged edits a second, stacked by release."""
    below = [0.0] * len(timeline.releases[0].acks)
    at = [timeline.start + (number + 0.5) * BIN_SECONDS for number in range(len(below))]
    for release in timeline.releases:
        rates = [count / BIN_SECONDS for count in release.acks]
        axes.bar(at, rates, width=BIN_SECONDS * 0.86, bottom=below, color=RELEASE[release.colour])
        lost = [count / BIN_SECONDS for count in release.lost]
        axes.bar(at, lost, width=BIN_SECONDS * 0.86, bottom=below, color=LOST)
        below = [low + rate for low, rate in zip(below, rates, strict=True)]
    axes.set_ylim(0, max(below) * HEADROOM)
    name(axes, "acknowledged edits a second")
    if timeline.verdict.lost:
        name(axes, "■ of them lost", offset=LOST_OFFSET, colour=LOST)


def name(axes: Axes, text: str, *, offset: float = 0, colour: str = QUIET) -> None:
    """What a panel shows, above its upper left corner, or so many points to the right of it."""
    axes.annotate(
        text, (0, 1), (offset, 5), xycoords="axes fraction", textcoords="offset points", color=colour
    )


def _corners(steps: Steps, end: float) -> tuple[list[float], list[int]]:
    last = steps[-1][1] if steps else 0
    return [at for at, _ in steps] + [end], [count for _, count in steps] + [last]
