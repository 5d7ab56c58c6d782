"""`python -m demo` itself, on the real engine, real processes, real sockets and S3 over its protocol."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.local import CHECKOUT
from tests.demo.left_behind import find_marked, mark_environment

DEADLINE_SECONDS = 150


@pytest.fixture(autouse=True)
def engine() -> None:
    assert shutil.which("pulumi"), "no pulumi on PATH; `make test` puts the engine there"


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The demo in a session of its own, as signals from a terminal would find it."""
    argv = [sys.executable, "-m", "demo", "--out", str(folder / "out"), *arguments]
    with subprocess.Popen(
        argv,
        cwd=CHECKOUT,
        env=mark_environment(folder / "mark") | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def play(folder: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run the demo to its end: exit code, what it said, and its data."""
    with running(folder, *arguments) as process:
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    data = folder / "out" / "timeline.json"
    assert data.exists(), said
    return process.returncode, said, json.loads(data.read_text())


def read_stacks() -> dict[str, bytes]:
    """The stacks' files of the checkout, which Pulumi likes to write to."""
    return {path.name: path.read_bytes() for path in (CHECKOUT / "stacks").iterdir()}


def test_a_deploy_under_load_loses_nothing(tmp_path: Path) -> None:
    """v1 to v2 by handoff while players edit: no edit is lost, and the checkout's stacks are as they were."""
    before = read_stacks()
    code, said, data = play(tmp_path, "--players", "10", "--machines", "1")
    assert (code, data["passed"], data["verdict"]["lost"]) == (0, True, 0), said
    assert [release["players"] for release in data["releases"]] == [10, 10]
    assert data["window"] is not None
    assert "0 lost — handoff window" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "timeline.json", "timeline.png", "timeline.svg",
    }  # fmt: skip
    assert read_stacks() == before
    assert find_marked(tmp_path / "mark") == {}


def test_the_same_load_sees_what_overlap_breaks(tmp_path: Path) -> None:
    """Negative control: with Fly's own order the load loses edits or finds rooms with two owners, and says so."""
    arguments = ("--players", "12", "--machines", "1", "--cutover", "overlap")
    code, said, data = play(tmp_path, *arguments)
    verdict = data["verdict"]
    assert verdict["lost"] + verdict["rooms_with_two_owners"] > 0, "the load proves nothing"
    assert (code, data["passed"], data["window"]) == (1, False, None), said
    assert "promises were broken" in said


def test_ctrl_c_in_the_middle_of_a_rollout_leaves_nothing(tmp_path: Path) -> None:
    """An interrupt while Pulumi waits for machines ends every process and leaves no file, half-written or whole."""
    with running(tmp_path, "--players", "4", "--machines", "1") as process:
        assert process.stdout is not None
        assert any("verify: wait until" in line for line in process.stdout)
        assert find_marked(tmp_path / "mark")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130, said
    assert find_marked(tmp_path / "mark") == {}
    assert list(tmp_path.iterdir()) == []
