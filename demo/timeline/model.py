"""The timeline's data: what `timeline.json` holds, field by field.

Times are seconds; 0 is when the rollout of the second release began, so the first one's are negative. `epoch` is that
moment in seconds since 1970. A span is [start, end); a step function lists (time, value), each valid to the next.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

BIN_SECONDS = 0.25

Colour = Literal["blue", "green"]
Steps = tuple[tuple[float, int], ...]
MachineState = Literal[
    "created",  # exists, its process is starting
    "started",  # its process runs, its checks do not pass yet
    "healthy",  # every check passes, and no traffic is routed to it
    "routed",  # the proxy routes new connections to it
    "cordoned",  # it runs, keeps its open connections, and has been told off from new ones
    "stopping",  # it has its stop signal, and saves
    "stopped",  # its process has ended
]


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted: a command, a phase, a test, a machine's state, the window, a part of it."""

    name: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its name, the app version that it runs, its side in the rollout, and its traffic.

    `players`: of those whom the story is about, how many have an edit that it acknowledged. `routed`: machines that
    the proxy routes to. `sockets`: open WebSockets through the proxy. `requests`, `acks` and `lost`: what the proxy
    routed, the edits that players saw acknowledged, and those of them that are gone, in bins of BIN_SECONDS from the
    timeline's start.
    """

    release: str
    version: str
    colour: Colour
    players: int
    phases: tuple[Span, ...]
    routed: Steps
    sockets: Steps
    requests: tuple[int, ...]
    acks: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine's life; its spans' names are `MachineState`s, and destroyed is where the last one ends."""

    machine_id: str
    name: str
    region: str
    release: str
    states: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """One acknowledged edit: when, whose (players count from 0), by which release, and whether it is gone."""

    at: float
    player: int
    release: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven to be saved of the old release, and from when to when it was looked for."""

    start: float
    end: float
    rooms: int
    objects: int
    bytes: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Verdict:
    """The audit in numbers; `gap_…`: each disconnected player's longest wait, seconds, None where nobody was."""

    acknowledged: int
    found: int
    lost: int
    moved: int
    duplicated: int
    rooms_with_two_owners: int
    unacknowledged: int
    gap_p50: float | None
    gap_p99: float | None
    gap_max: float | None

    @property
    def passed(self) -> bool:
        """Every acknowledged edit is where it was promised, once, and no room had two owners."""
        return not (self.lost or self.moved or self.duplicated or self.rooms_with_two_owners)


@dataclass(frozen=True, slots=True)
class Timeline:
    """One demo run from `start` to `end`.

    `tests`: those of the second release. `proof`: None where none was asked for. `window`: the handoff window as the
    deployment measured it, None where there was none (overlap), and its `parts`, one after the other. `overlap`: while
    machines of both releases served, None where none did. `dots`: the acknowledgements around the switch.
    """

    schema: int
    epoch: float
    start: float
    end: float
    app: str
    cutover: str
    players: int
    commands: tuple[Span, ...]
    releases: tuple[Release, ...]
    machines: tuple[Machine, ...]
    tests: tuple[Span, ...]
    proof: Proof | None
    window: Span | None
    parts: tuple[Span, ...]
    overlap: Span | None
    dots: tuple[Dot, ...]
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"bin_seconds": BIN_SECONDS, "passed": self.verdict.passed}
