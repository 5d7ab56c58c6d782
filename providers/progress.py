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
    """``"phase 2 of 5, 4m10s left, 3 of 4 machines: verify: wait until every check passes (green), waiting for …"``.

    Pulumi cuts a row at the terminal's edge, 90 columns or more are taken already: what changes comes first.
    """
    told, whole, open_ = [], len(event.machines), len(event.awaited)
    if event.number:
        told.append(_of_phases(event).rstrip())
    if event.left_s is not None:
        told.append(f"{durations.text(max(0, round(event.left_s)))} left")
    if 0 < open_ <= whole:
        told.append(f"{whole - open_} of {whole} machines")
    more = f" (and {open_ - 1} more)" if open_ > 1 else ""
    awaited = f", waiting for {event.awaited[0]}{more}" if event.awaited else ""
    return f"{', '.join(told)}{': ' if told else ''}{event.phase}: {event.step}{awaited}"


def _of_phases(event: Event) -> str:
    return f"phase {event.number} of {event.of} " if event.number else ""
