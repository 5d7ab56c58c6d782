"""The parts of the story that need no parts to run on."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from demo.screen import Screen
from demo.story import NotReached, join_logs, read_history, require_a_new_release
from tests.demo.history import V1, V2, make_ack, make_log, make_rollouts


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_deploy_that_changed_nothing_is_no_success() -> None:
    """Players who edit on because the old release still serves prove nothing, so the demo does not go on."""
    first, second = make_rollouts()
    require_a_new_release(first, second)
    with pytest.raises(NotReached, match=V1):
        require_a_new_release(first, first)


def test_joined_logs_are_in_the_order_of_their_acknowledgements() -> None:
    """The audit reads several crowds as one, so their acknowledgements must be told in the order of time."""
    early, late, between = make_ack(1, 0.0, V1), make_ack(2, 2.0, V2), make_ack(1, 1.0, V1, "guest")
    joined = join_logs([make_log(early, late), make_log(between)])
    assert list(joined.acks) == [early, between, late]


def test_a_half_written_record_is_not_read(tmp_path: Path) -> None:
    """The history is read while the simulator may be writing to it."""
    history = tmp_path / "history.jsonl"
    history.write_text(json.dumps({"n": 1}) + '\n{"n": 2, "ki')
    assert read_history(history) == [{"n": 1}]


def test_output_that_is_no_terminal_has_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a log the progress of a long step is a line now and then, and nothing is coloured or rewritten."""
    stream = io.StringIO()
    screen = Screen(stream)
    screen.heading("a part")
    for count in range(100):
        screen.live(f"{count} edits")
    screen.verdict("0 lost", good=True)
    assert stream.getvalue() == "\na part\n0 edits\n0 lost\n"


def test_a_live_line_stays_below_the_lines_that_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a new line goes above the progress, which is then written anew."""
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    screen = Screen(stream)
    screen.live("5 edits")
    screen.line("step")
    assert stream.getvalue().endswith("\r\x1b[Kstep\n5 edits")
