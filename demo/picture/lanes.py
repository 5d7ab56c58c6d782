"""The panel of the machines: one lane each, the old cluster's above the new one's."""

from __future__ import annotations

from matplotlib.axes import Axes

from demo.picture.theme import QUIET, RELEASE, STATE, colour_state, ink_on
from demo.timeline import Machine, Release, Timeline

CHARACTER_SHARE = 0.0105
"""A state's name fits into its span where the span is so much of the axis long for each character."""
BETWEEN_CLUSTERS = 0.4
KEY_OFFSET, KEY_CHARACTER = 62.0, 5.6
"""Points: where the key of the states begins, and what a character of it takes."""


def draw_machines(axes: Axes, timeline: Timeline) -> None:
    """A lane for each machine, coloured by its state, with a key of the states above."""
    ticks: dict[float, str] = {}
    row = 0.0
    for release in timeline.releases:
        lanes = order_lanes(timeline, release)
        for number, machine in enumerate(lanes):
            _draw_lane(axes, machine, row + number, release)
            ticks[row + number] = name_lane(machine)
        _name_states(axes, lanes[0], row)
        _name_cluster(axes, release, row + (len(lanes) - 1) / 2)
        row += len(lanes) + BETWEEN_CLUSTERS
    axes.set_ylim(row - BETWEEN_CLUSTERS - 0.4, -0.6)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _draw_key(axes)


def order_lanes(timeline: Timeline, release: Release) -> list[Machine]:
    """A release's machines by name: by region, then by number."""
    machines = (machine for machine in timeline.machines if machine.release == release.release)
    return sorted(machines, key=lambda machine: machine.name)


def name_lane(machine: Machine) -> str:
    """A machine's name less app and generation: region and number."""
    return machine.name[machine.name.rfind(f"{machine.region}-") :]


def _draw_lane(axes: Axes, machine: Machine, row: float, release: Release) -> None:
    for state in machine.states:
        colour = colour_state(state.name, release.colour)
        axes.barh(row, state.seconds, left=state.start, height=0.8, color=colour)


def _name_states(axes: Axes, machine: Machine, row: float) -> None:
    left, right = axes.get_xlim()
    for state in machine.states:
        start, end = max(left, state.start), min(right, state.end)
        if (end - start) / (right - left) > CHARACTER_SHARE * len(state.name):
            axes.text(
                (start + end) / 2,
                row,
                state.name,
                ha="center",
                va="center_baseline",
                size=8,
                color=ink_on(state.name),
            )


def _name_cluster(axes: Axes, release: Release, row: float) -> None:
    axes.annotate(
        f"{release.version}\n{release.colour}",
        (0, row),
        (-62, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="center",
        va="center",
        color=RELEASE[release.colour],
        weight="bold",
    )


def _draw_key(axes: Axes) -> None:
    """The states in the order in which a machine goes through them, each a patch of colour and a word."""
    _write_above(axes, "machines", 0, QUIET)
    offset = KEY_OFFSET
    for state, colour in STATE.items():
        _write_above(axes, "■", offset, colour)
        _write_above(axes, state, offset + 10, QUIET)
        offset += 24 + KEY_CHARACTER * len(state)


def _write_above(axes: Axes, text: str, offset: float, colour: str) -> None:
    axes.annotate(
        text, (0, 1), (offset, 5), xycoords="axes fraction", textcoords="offset points", color=colour
    )
