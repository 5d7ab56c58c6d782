"""Children of the set-up: what they say is heard, and none outlives its caller."""

import os
import sys
from pathlib import Path

import pytest

from tools import child

TALK_THEN_WAIT = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


def assert_gone(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_every_line_of_output_and_errors_is_heard_in_order(tmp_path: Path) -> None:
    """What a child writes to its output and to its errors arrives as one sequence of lines."""
    heard: list[str] = []
    child.run(["sh", "-c", "echo one; echo two >&2; printf three"], heard.append, cwd=tmp_path)
    assert [line for line in heard if line] == ["one", "two", "three"]


def test_a_failed_child_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    """The error says which program ended how, and keeps the end of what it said."""
    with pytest.raises(child.ChildError, match="sh ended with 3") as caught:
        child.run(["sh", "-c", "seq 30; exit 3"], lambda _: None, cwd=tmp_path)
    assert caught.value.lines == tuple(str(number) for number in range(11, 31))


def test_a_program_that_is_not_there_is_an_error_of_the_same_kind(tmp_path: Path) -> None:
    """A child that cannot be started needs no other handling than one that fails."""
    with pytest.raises(child.ChildError, match="No such file"):
        child.run([str(tmp_path / "nothing")], lambda _: None, cwd=tmp_path)


def test_a_child_past_its_deadline_is_killed(tmp_path: Path) -> None:
    """After the deadline there is an error and no child."""
    heard: list[str] = []
    with pytest.raises(child.ChildError, match="not done after 0 s"):
        child.run([sys.executable, "-c", TALK_THEN_WAIT], heard.append, cwd=tmp_path, seconds=0)
    for line in filter(None, heard):
        assert_gone(int(line))


def test_an_interrupted_call_leaves_no_child(tmp_path: Path) -> None:
    """Ctrl-C while a child runs ends the child, and those it started, before the interrupt goes on."""
    heard: list[int] = []

    def interrupt(line: str) -> None:
        if line:
            heard.append(int(line))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.run([sys.executable, "-c", TALK_THEN_WAIT], interrupt, cwd=tmp_path)
    assert_gone(heard[0])
