"""How a deployment ended: the frozen types that reports and Pulumi's outputs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.bluegreen.model import Cluster, MachineSeen, Phase, Proof, Release, TestResult


class Ending(StrEnum):
    """How a deployment can end. Each says which cluster serves."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    AWAITING_APPROVAL = "awaiting approval"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled back"
    UNFINISHED = "unfinished"
    DESTROYED = "destroyed"
    TAKEN_OVER = "taken over"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Failure:
    """Why a deployment did not reach its end. ``reasons`` name machines, keys, request ids."""

    phase: Phase
    step: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PhaseTime:
    """When a phase ran: seconds since the epoch, and how long."""

    phase: Phase
    started_at: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """The end of a deployment: what serves, what failed, what it took.

    ``serving``: the machines that users reach. ``owner``: the release that owns the state, routed or not.
    ``pending``: the release that is verified, unrouted, and waits for approval. ``left``: how many machines of ours
    there are at the end, as far as is known, whatever they do; ``machines``: those of the owner among them.
    """

    ending: Ending
    serving: Cluster | None
    owner: Release | None = None
    failure: Failure | None = None
    window_s: float | None = None
    phases: tuple[PhaseTime, ...] = ()
    proofs: tuple[Proof, ...] = ()
    tests: tuple[TestResult, ...] = ()
    pending: Release | None = None
    api_calls: int = 0
    app_created: bool = False
    left: int = 0
    machines: tuple[MachineSeen, ...] = ()
    next_command: str = ""

    @property
    def succeeded(self) -> bool:
        return self.ending in _SUCCESSES


_SUCCESSES = (Ending.DEPLOYED, Ending.UNCHANGED, Ending.AWAITING_APPROVAL, Ending.DESTROYED)
