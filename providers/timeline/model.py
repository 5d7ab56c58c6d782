"""A timeline as it is kept. Times are epoch seconds by the deployer's clock, durations in seconds; releases are text.

``version`` grows with each change that a reader would notice; keys that a reader does not know are ignored.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Look(_Part):
    """How a machine was seen from then on. ``routed``: users can reach it. ``passing`` of ``checks`` health checks."""

    at: FiniteFloat
    state: str
    cordoned: bool = False
    routed: bool = False
    passing: int = 0
    checks: int = 0


class MachineLine(_Part):
    """One machine of ours, and each change of it that was seen."""

    id: str
    name: str
    region: str
    release: str
    looks: tuple[Look, ...]


class PhaseSpan(_Part):
    """One phase. ``number``: 0 for one that was not foreseen, such as the way back."""

    name: str
    number: int
    started_at: FiniteFloat
    ended_at: FiniteFloat


class StepSpan(_Part):
    """One step. ``machines``: how many it was about. ``reasons``: why it failed."""

    phase: str
    name: str
    started_at: FiniteFloat
    seconds: FiniteFloat
    gate: bool = False
    commit: bool = False
    machines: int = 0
    reasons: tuple[str, ...] = ()


class Window(_Part):
    """A handoff window; a rollback has another. ``closed_at``: ``None`` where nobody was proven to answer again."""

    opened_at: FiniteFloat
    closed_at: FiniteFloat | None = None


class ProofSeen(_Part):
    """What was proven of one machine's saved state."""

    machine_id: str
    rooms: int
    objects: int
    bytes: int
    started_at: FiniteFloat
    seconds: FiniteFloat
    faults: tuple[str, ...] = ()


class TestSeen(_Part):
    """One test that passed."""

    name: str
    started_at: FiniteFloat
    seconds: FiniteFloat
    summary: str = ""


class FailureSeen(_Part):
    """Where it failed, and why."""

    phase: str
    step: str
    reasons: tuple[str, ...]


class Line(_Part):
    """Something that was said."""

    at: FiniteFloat
    text: str


class Timeline(_Part):
    """One deployment. ``ending``: ``"no ending"`` where it was broken off. ``serving``: in words, as ``up`` says it.

    ``left_out``: how much was too much to keep, by kind.
    """

    version: Literal[1] = 1
    app: str
    goal: str
    cutover: str
    blue: str | None
    green: str | None
    ending: str
    succeeded: bool
    serving: str
    started_at: FiniteFloat
    ended_at: FiniteFloat
    phases: tuple[PhaseSpan, ...]
    steps: tuple[StepSpan, ...]
    machines: tuple[MachineLine, ...]
    windows: tuple[Window, ...]
    proofs: tuple[ProofSeen, ...] = ()
    tests: tuple[TestSeen, ...] = ()
    failure: FailureSeen | None = None
    next_command: str = ""
    api_calls: int = 0
    lines: tuple[Line, ...] = ()
    left_out: dict[str, int] = {}
