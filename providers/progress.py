"""A deployment's events as its row shows them: one line a step that stays, and between them what is waited for.

What is waited for is shown only until the next line, and only where somebody watches: Pulumi's engine keeps such lines
out of a log, so that CI has one line a step.
"""

from __future__ import annotations

from providers.bluegreen import durations
from providers.bluegreen.events import Event, Hear, Kind
from providers.console import Row


def progress(row: Row) -> Hear:
    """A listener that shows what it hears on ``row``."""

    def hear(event: Event) -> None:
        if event.kind is Kind.WAITING:
            row.brief(waiting_line(event))
        elif event.text:
            row(f"{_of_phases(event)}{event.text}")

    return hear


def waiting_line(event: Event) -> str:
    """``"phase 2 of 5 verify: wait until every check passes (green): 3 of 4 machines, 4m10s left: machine …"``."""
    told = [f"{_of_phases(event)}{event.phase}: {event.step}"]
    whole, open_ = len(event.machines), len(event.awaited)
    if 0 < open_ <= whole:
        told.append(f": {whole - open_} of {whole} machines")
    if event.left_s is not None:
        told.append(f", {durations.text(max(0, round(event.left_s)))} left")
    if event.awaited:
        more = f" (and {open_ - 1} more)" if open_ > 1 else ""
        told.append(f", waiting for {event.awaited[0]}{more}")
    return "".join(told)


def _of_phases(event: Event) -> str:
    return f"phase {event.number} of {event.of} " if event.number else ""
