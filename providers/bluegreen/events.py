"""What a deployment tells while it runs: for people's screens, for timelines and for webhooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Outcome
from providers.bluegreen.scene import Scene


class Kind(StrEnum):
    """What happened."""

    NOTE = "note"
    PHASE = "phase"
    STEP = "step"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``text``: for people, without secrets; may be empty, and has several lines at the end.

    ``at``: epoch seconds. ``number`` and ``of``: which phase of how many. ``machines``: names of those that the step is
    about. ``awaited``: what a step that goes on waits for, by machine or thing; ``left_s``: until its phase's deadline.
    ``took_s``: of what is done, also of a step that failed. ``outcome``: with ``ended`` alone.
    ``scene``: how the world is known to be, where a phase begins and where a step is done; it holds secrets.
    """

    kind: Kind
    at: float
    text: str = ""
    phase: Phase | None = None
    number: int = 0
    of: int = 0
    step: str = ""
    gate: bool = False
    commit: bool = False
    machines: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    left_s: float | None = None
    took_s: float | None = None
    outcome: Outcome | None = None
    scene: Scene | None = field(default=None, repr=False)


Hear = Callable[[Event], None]


def lines(say: Callable[[str], None]) -> Hear:
    """A listener that only wants the lines for people."""

    def hear(event: Event) -> None:
        if event.text:
            say(event.text)

    return hear


def all_of(*listeners: Hear) -> Hear:
    """One listener that passes on to all, whatever becomes of any: nobody who listens may fail a deployment."""

    def hear(event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001, S112 - as above
                continue

    return hear
