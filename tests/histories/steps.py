"""What may happen in a history: one frozen class for each kind of step. A script is a setting and its steps, as data.

Steps that are about a deployer say which (``who``, 0 or 1), steps about a machine which of those that exist (``nth``,
counted around). A step that finds nothing to be about does nothing, and does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Drain = Literal["stop", "request"]
Cutover = Literal["handoff", "overlap"]
Wants = Literal["v1", "v2", "v2 env", "v3", "more v1", "destroy"]
Extra = Literal["bake", "warm", "approval"]
Fault = Literal[
    "500",
    "500 applied",
    "408",
    "408 applied",
    "429",
    "429 with Retry-After",
    "403",
    "404",
    "refused",
    "reset",
    "reset applied",
    "read timeout",
    "read timeout applied",
    "truncated",
    "wrong type",
    "stale list",
    "redirect",
]
HandAct = Literal["cordon", "uncordon", "stop", "start", "destroy", "add unmanaged", "clone"]
HostAct = Literal["dies", "flaps", "unhealthy", "heals", "unreachable", "answers"]
Boot = Literal["well", "never start", "crash", "never healthy", "flap", "slow"]
StoreAct = Literal["down", "up", "loses answer", "loses request", "creates unclear", "refuses"]


@dataclass(frozen=True)
class Start:
    """A deployer begins a run, unless its last one is still going on."""

    who: int
    wants: Wants


@dataclass(frozen=True)
class Kill:
    """SIGKILL at its ``calls``-th call from now, before or after that is applied; 0: at once, wherever it is."""

    who: int
    calls: int = 0
    applied: bool = False


@dataclass(frozen=True)
class Suspend:
    """The process does nothing any more: what it was about to send is sent when it wakes up, late."""

    who: int


@dataclass(frozen=True)
class Resume:
    who: int


@dataclass(frozen=True)
class Calls:
    """Time passes until a deployer has made that many calls more, or can make none."""

    who: int
    count: int


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    seconds: float


@dataclass(frozen=True)
class Break:
    """The ``calls``-th call from now of a deployer, and ``times`` - 1 behind it, meet this fault."""

    who: int
    fault: Fault
    calls: int
    times: int = 1


@dataclass(frozen=True)
class Hand:
    """Somebody does this to a machine, past the deployers."""

    act: HandAct
    nth: int = 0


@dataclass(frozen=True)
class Host:
    """What happens to one machine by itself or its host."""

    act: HostAct
    nth: int = 0


@dataclass(frozen=True)
class Boots:
    """How machines behave that start from now on."""

    how: Boot


@dataclass(frozen=True)
class Store:
    """S3, for the app and the deployers."""

    act: StoreAct


@dataclass(frozen=True)
class Edit:
    """Players edit on every machine of ours that they reach."""


Step = Start | Kill | Suspend | Resume | Calls | Pass | Break | Hand | Host | Boots | Store | Edit


@dataclass(frozen=True)
class Script:
    """One history. ``last``: the spec that the final runs want. ``seed``: of ids, nonces and scheduling. ``extras``:
    what all of its specs have besides.
    """

    seed: int
    drain: Drain
    cutover: Cutover
    last: Wants
    steps: tuple[Step, ...]
    extras: tuple[Extra, ...] = ()
