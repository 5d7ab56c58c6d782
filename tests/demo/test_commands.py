"""What the demo's programs make of the runs that they have seen: exit code and last words."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import command, play
from demo.local import NotReady
from demo.screen import Screen
from demo.timeline import Timeline, build
from demo.unsafe import command as unsafe
from tests.demo.history import make_evidence

KEPT = build(make_evidence())
BROKEN = build(make_evidence(lost=2))
OVERLAP_KEPT = build(make_evidence(window=None))
OVERLAP_BROKEN = build(make_evidence(window=None, lost=2))


def tell(module: object, folder: Path, monkeypatch: pytest.MonkeyPatch, *runs: Timeline) -> tuple[int, str]:
    """Exit code and words of a program whose runs went like this."""
    told: Iterator[Timeline] = iter(runs)
    monkeypatch.setattr(module, "play", lambda _options, _screen: next(told))
    stream = io.StringIO()
    options = argparse.Namespace(players=1, machines=1, cutover=runs[0].cutover, out=folder)
    code = (unsafe if module is unsafe else command).run(options, Screen(stream))
    return code, stream.getvalue()


@pytest.mark.parametrize(
    ("run", "code", "words"),
    [
        (KEPT, 0, "no room ever had two owners"),
        (BROKEN, 1, "this should not happen"),
        (OVERLAP_BROKEN, 1, "both clusters served the same rooms: promises were broken"),
    ],
)
def test_the_demo_says_whether_promises_were_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Timeline, code: int, words: str
) -> None:
    """0 when each was kept, 1 when one was not, and the last line says why."""
    told, said = tell(command, tmp_path, monkeypatch, run)
    assert (told, words in said) == (code, True), said


@pytest.mark.parametrize(
    ("runs", "code", "words"),
    [
        ((KEPT, OVERLAP_BROKEN), 0, "routed before it has saved: 2 acknowledged edits lost."),
        ((BROKEN, OVERLAP_BROKEN), 1, "this should not happen"),
        ((BROKEN, OVERLAP_KEPT), 1, "this should not happen"),
        ((KEPT, OVERLAP_KEPT), 3, "By chance the other order broke no promise this time"),
    ],
)
def test_the_comparison_says_what_it_has_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    runs: tuple[Timeline, Timeline],
    code: int,
    words: str,
) -> None:
    """0 only when this order kept what the other broke; a loss here, and no loss there, have codes of their own."""
    told, said = tell(unsafe, tmp_path, monkeypatch, *runs)
    assert (told, words in said) == (code, True), said


def test_the_table_has_both_orders_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure is a line with a column for each order."""
    said = tell(unsafe, tmp_path, monkeypatch, KEPT, OVERLAP_BROKEN)[1]
    rows = {line[2:26].rstrip(): line[26:].split() for line in said.splitlines() if line.startswith("  ")}
    assert rows["acknowledged edits"] == ["3", "3"]
    assert rows["lost"] == ["0", "2"]
    assert rows["handoff window"] == ["0.90", "s", "none"]
    assert rows["both clusters served"] == ["never", "1.00", "s"]


def test_a_part_that_does_not_start_is_told_with_a_code_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A demo that could not be run has shown nothing, good or bad."""

    def fail() -> int:
        raise NotReady("local S3 ended with 2")

    assert play.guard(fail) == 2
    assert "the demo could not go on: local S3 ended with 2" in capsys.readouterr().err
