"""A timeline as it is kept. Times are epoch seconds by the deployer's clock, durations in seconds; releases are text.

``version`` grows with each change that a reader would notice; keys that a reader does not know are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from providers.gates.output import clean

Text = Annotated[str, AfterValidator(clean)]
"""Fit for a terminal, whoever wrote it into the store."""

Moment = Annotated[FiniteFloat, Field(ge=0, lt=1e11)]
"""Until the year 5138: not every number is a date."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Look(_Part):
    """How a machine was seen from then on. ``routed``: users can reach it. ``passing`` of ``checks`` health checks."""

    at: Moment
    state: Text
    cordoned: bool = False
    routed: bool = False
    passing: int = 0
    checks: int = 0


class MachineLine(_Part):
    """One machine of ours, and each change of it that was seen."""

    id: Text
    name: Text
    region: Text
    release: Text
    looks: tuple[Look, ...]


class PhaseSpan(_Part):
    """One phase. ``number``: 0 for one that was not foreseen, such as the way back."""

    name: Text
    number: int
    started_at: Moment
    ended_at: Moment


class StepSpan(_Part):
    """One step. ``machines``: how many it was about. ``reasons``: why it failed."""

    phase: Text
    name: Text
    started_at: Moment
    seconds: FiniteFloat
    gate: bool = False
    commit: bool = False
    machines: int = 0
    reasons: tuple[Text, ...] = ()


class Window(_Part):
    """A handoff window; a rollback has another. ``closed_at``: ``None`` where nobody was proven to answer again."""

    opened_at: Moment
    closed_at: Moment | None = None


class ProofSeen(_Part):
    """What was proven of one machine's saved state."""

    machine_id: Text
    rooms: int
    objects: int
    bytes: int
    started_at: Moment
    seconds: FiniteFloat
    faults: tuple[Text, ...] = ()


class TestSeen(_Part):
    """One test that passed."""

    name: Text
    started_at: Moment
    seconds: FiniteFloat
    summary: Text = ""


class FailureSeen(_Part):
    """Where it failed, and why."""

    phase: Text
    step: Text
    reasons: tuple[Text, ...]


class Line(_Part):
    """Something that was said."""

    at: Moment
    text: Text


class Timeline(_Part):
    """One deployment. ``ending``: ``"no ending"`` where it was broken off. ``serving``: in words, as ``up`` says it.

    ``left_out``: how much was too much to keep, by kind.
    """

    version: Literal[1] = 1
    app: Text
    goal: Text
    cutover: Text
    blue: Text | None
    green: Text | None
    ending: Text
    succeeded: bool
    serving: Text
    started_at: Moment
    ended_at: Moment
    phases: tuple[PhaseSpan, ...]
    steps: tuple[StepSpan, ...]
    machines: tuple[MachineLine, ...]
    windows: tuple[Window, ...]
    proofs: tuple[ProofSeen, ...] = ()
    tests: tuple[TestSeen, ...] = ()
    failure: FailureSeen | None = None
    next_command: Text = ""
    api_calls: int = 0
    lines: tuple[Line, ...] = ()
    left_out: dict[Text, int] = {}
