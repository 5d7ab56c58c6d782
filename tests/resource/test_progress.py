"""What the resource's row shows of a run, in a terminal and in CI."""

from __future__ import annotations

import os
import pty

import pytest

from providers import console
from providers.bluegreen.events import Event, Kind
from providers.bluegreen.model import Phase
from providers.progress import progress, waiting_line

STEP = "wait until every check passes (green)"


class Row(console.Row):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.shown: list[str] = []

    def __call__(self, line: str) -> None:
        self.kept.append(line)

    def brief(self, line: str) -> None:
        self.shown.append(line)


def waiting(*awaited: str, left_s: float = 250.2, machines: int = 4) -> Event:
    names = tuple(f"rooms-g2-ams-{index}" for index in range(machines))
    told = {"number": 2, "of": 5, "step": STEP, "machines": names, "awaited": awaited, "left_s": left_s}
    return Event(Kind.WAITING, 1.0, "a line for a log", Phase.VERIFY, **told)  # type: ignore[arg-type]


def test_a_wait_says_phase_step_machines_and_time_left() -> None:
    """And what is missing of which machine; first what an ordinary terminal has room for."""
    line = waiting_line(waiting("machine 1a (rooms-g2-ams-1): alive: refused"))
    assert line == (
        f"phase 2 of 5, 4m10s left, 3 of 4 machines: verify: {STEP}, waiting for machine 1a (rooms-g2-ams-1): "
        "alive: refused"
    )
    assert waiting_line(waiting(left_s=-3.0)) == f"phase 2 of 5, 0ms left: verify: {STEP}"
    assert "(and 1 more)" in waiting_line(waiting("a", "b"))


def test_waits_are_shown_and_steps_are_kept() -> None:
    """One line a step stays; what is waited for goes with the next line."""
    row = Row()
    hear = progress(row)
    hear(Event(Kind.STEP, 1.0, f"verify: {STEP}", Phase.VERIFY, number=2, of=5))
    hear(waiting("machine 1a"))
    hear(Event(Kind.DONE, 2.0, phase=Phase.VERIFY, number=2, of=5))
    hear(Event(Kind.NOTE, 3.0, "saved state proven"))
    assert row.kept == [f"phase 2 of 5 verify: {STEP}", "saved state proven"]
    assert len(row.shown) == 1


def test_somebody_watches_in_a_terminal_and_nobody_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """CI says so itself; without a terminal, as in a service or a pipe of CI, nobody is there to watch."""
    monkeypatch.delenv("CI", raising=False)
    leader, terminal = pty.openpty()
    monkeypatch.setattr(console, "TERMINAL", os.ttyname(terminal))
    assert console.somebody_watches()
    monkeypatch.setenv("CI", "true")
    assert not console.somebody_watches()
    monkeypatch.setenv("CI", "false")
    assert console.somebody_watches()
    monkeypatch.setattr(console, "TERMINAL", "/no/such/terminal")
    assert not console.somebody_watches()
    os.close(leader)
    os.close(terminal)


def test_a_brief_line_is_dropped_for_a_newer_one_and_never_without_a_watcher(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an engine's row there is nowhere to show it; lines that stay are all there, in order."""
    monkeypatch.setattr(console, "somebody_watches", lambda: True)
    with console.console() as row:
        row("first")
        for index in range(20):
            row.brief(f"brief {index}")
        row("last")
    assert capsys.readouterr().err == "first\nlast\n"
