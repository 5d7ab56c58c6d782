"""Colours and type. Releases and states differ in lightness as well as in hue, for the colour-blind and for print."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.typing import RcKeyType

INK: Final = "#22303c"
QUIET: Final = "#6b7a86"
GRID: Final = "#e6eaee"
WINDOW: Final = "#fcedcf"
WINDOW_INK: Final = "#9a5b00"
OVERLAP: Final = "#fbe3dc"
OVERLAP_INK: Final = "#a8321a"
LOST: Final = "#c4122f"
STEP: Final = "#8593a0"

RELEASE: Final = {"blue": "#2b66ad", "green": "#30ab86"}
TINT: Final = {"blue": "#cfdff1", "green": "#cdeee2"}
STATE: Final = {
    "created": "#eef1f3",
    "started": "#d8dee3",
    "healthy": TINT["green"],
    "routed": RELEASE["green"],
    "cordoned": "#f2b632",
    "stopping": "#d4572a",
    "stopped": "#9aa5af",
}
STYLE: Final[dict[RcKeyType, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "svg.hashsalt": "timeline",
    "xtick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.color": QUIET,
    "ytick.labelcolor": INK,
}


def colour_state(state: str, side: str) -> str:
    """A machine's colour: that of its own side while it serves or could."""
    return {"routed": RELEASE, "healthy": TINT}.get(state, {side: STATE[state]})[side]


def ink_on(state: str) -> str:
    """A colour in which text is readable on a state's colour."""
    return "white" if state in ("routed", "stopping") else INK
