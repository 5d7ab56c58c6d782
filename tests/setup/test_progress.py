"""Progress of long steps, as a terminal and as a log sees it."""

import io

import pytest

from tools.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_every_few_seconds_and_one_at_the_end() -> None:
    """Where nobody watches live, one line every five seconds tells how far the step is."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress("building", total=40, stream=stream, clock=clock)
    for number in range(12):
        progress.count(f"part {number}")
        clock.now += 1
    clock.now += 60
    progress.finish()
    assert stream.getvalue().splitlines() == [
        "building: 6 of 40 (5 s) part 5",
        "building: 11 of 40 (10 s) part 10",
        "building: done in 1 min 12 s",
    ]


def test_a_quiet_step_shows_that_time_goes_on() -> None:
    """A step that counts nothing and says nothing still shows its time."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress("linking", stream=stream, clock=clock)
    clock.now += 7
    progress.look()
    assert stream.getvalue() == "linking (7 s)\n"


def test_a_terminal_has_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the line is written over, never wider than the terminal, and closed at the end."""
    monkeypatch.setenv("COLUMNS", "30")
    stream, clock = Terminal(), Clock()
    progress = Progress("building", total=2, stream=stream, clock=clock)
    clock.now += 1
    progress.count("a package with a very long name")
    progress.finish()
    shown = stream.getvalue().split("\r\x1b[K")
    assert shown == ["", "building: 1 of 2 (1 s) a pack", "building: done in 1 s\n"]
