"""The matrix's own negative controls: a process that breaks, says nothing, or never comes to its call is seen."""

from __future__ import annotations

import os
import signal

import pytest

from tests.faults import forks, scenario
from tests.faults.calls import FIRST_LOOK, Call
from tests.faults.network import FAULTS, Strike
from tests.faults.scenario import DESTROY, play_all
from tests.faults.sections import SECTIONS
from tests.faults.table import difference

LOOK = Call(FIRST_LOOK, "GET", "app", 1)
STRIKE = Strike(LOOK, FAULTS[0])


def test_a_promise_that_is_broken_in_each_process_is_told_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of a section is broken then, none is missing, and the table is no longer the committed one."""

    async def broken(*_: object) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(scenario, "settle", broken)
    section = SECTIONS["destroy, once"]
    played = section.play()
    assert played.figures["scenarios"] == len(played.broken) > 0
    assert all(line.endswith("AssertionError: planted") for line in played.broken)
    assert difference(section.title, played)


def test_a_process_that_ends_without_a_word_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for one that had nothing to say."""

    async def dies(*_: object) -> None:
        os._exit(0)

    monkeypatch.setattr(scenario, "settle", dies)
    (told,) = play_all(DESTROY, {(LOOK, ""): STRIKE}).values()
    assert told.broken == "its process told nothing"


def test_a_process_that_hangs_is_ended_and_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps no run waiting for ever, and is told of by what it did."""

    async def hangs(*_: object) -> None:
        while True:
            signal.pause()

    monkeypatch.setattr(scenario, "settle", hangs)
    monkeypatch.setattr(forks, "LONGEST_S", 0.1)
    (told,) = play_all(DESTROY, {(LOOK, ""): STRIKE}).values()
    assert told.broken == "its process did not end within 0.1 s"


def test_a_call_that_is_never_made_is_broken() -> None:
    """A row of the table that the run no longer comes to is seen, and not left out."""
    never = Call(FIRST_LOOK, "GET", "app", 99)
    (told,) = play_all(DESTROY, {(never, ""): Strike(never, FAULTS[0])}).values()
    assert "was not made" in told.broken
