"""`python -m demo` and `python -m demo.unsafe`, on the real engine, real processes, real sockets and S3's protocol."""

from __future__ import annotations

import json
import re
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
from tests.engine.watching import watch

DEADLINE_SECONDS = 200
LIVE = re.compile(r"live: (?P<rooms>\d+) rooms and (?P<sockets>\d+) sockets \(release 1-")
WAITING = re.compile(r"fly:BlueGreenFlyApp  app .*phase \d of \d, [\dms]+ left")


@pytest.fixture(autouse=True)
def engine() -> None:
    assert shutil.which("pulumi"), "no pulumi on PATH; `make test` puts the engine there"


@contextmanager
def running(
    folder: Path, *arguments: str, module: str = "demo", **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """The demo in a session of its own, as signals from a terminal would find it."""
    argv = [sys.executable, "-m", module, "--out", str(folder / "out"), *arguments]
    with subprocess.Popen(
        argv,
        cwd=CHECKOUT,
        env=mark_environment(folder / "mark") | {"TMPDIR": str(folder)} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def play(folder: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run the demo to its end: exit code, and what it said."""
    with running(folder, *arguments, **environ) as process:
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, said


def play_in_a_terminal(folder: Path, *arguments: str, module: str) -> tuple[int, str]:
    """The same, as somebody sees it who watches."""
    argv = [sys.executable, "-m", module, "--out", str(folder / "out"), *arguments]
    environ = mark_environment(folder / "mark") | {"TMPDIR": str(folder), "NO_COLOR": "1"}
    done = watch(argv, CHECKOUT, environ, deadline_s=DEADLINE_SECONDS)
    return done.returncode, done.stdout


def read_data(folder: Path, stem: str) -> dict[str, Any]:
    """What it wrote: its data, after making sure that the pictures are there too."""
    assert {path.name for path in (folder / "out").iterdir()} == {
        f"{stem}.{ending}" for ending in ("json", "png", "svg")
    }
    data: dict[str, Any] = json.loads((folder / "out" / f"{stem}.json").read_text())
    return data


def read_stacks() -> dict[str, bytes]:
    """The stacks' files of the checkout, which Pulumi likes to write to."""
    return {path.name: path.read_bytes() for path in (CHECKOUT / "stacks").iterdir()}


def test_a_deploy_under_load_loses_nothing(tmp_path: Path) -> None:
    """v1 to v2 by handoff while players edit: no edit is lost, and the checkout's stacks are as they were.

    Each new machine was tested, and the saved state proven: said while it ran, and told by the timeline.
    """
    before = read_stacks()
    plans = tmp_path / "plans"
    code, said = play(tmp_path, "--players", "10", "--machines", "1", BLUEGREEN_PLAN_DIR=str(plans))
    assert code == 0, said
    live = LIVE.search(said)
    assert live, said
    assert int(live["rooms"]) == 2
    assert int(live["sockets"]) > 0
    plan = json.loads((plans / "rooms.json").read_text())
    assert (plan["live"]["rooms"], plan["live"]["machines"]) == (2, 2)
    data = read_data(tmp_path, "timeline")
    assert (data["passed"], data["verdict"]["lost"]) == (True, 0), said
    assert [release["players"] for release in data["releases"]] == [10, 10]
    assert [part["name"] for part in data["parts"]] == ["drain", "proof", "stop", "commit", "route"]
    assert [test["name"] for test in data["tests"]] == ["version", "smoke"]
    assert (data["proof"]["rooms"], data["proof"]["objects"]) == (2, 2)
    assert "0 lost — handoff window" in said
    assert said.count("test smoke | machine") == 4
    assert "v2 in ams is healthy; refuses rooms: record 1 (1-" in said
    assert "saved state proven: 2 rooms, 2 objects, " in said
    assert read_stacks() == before
    assert find_marked(tmp_path / "mark") == {}


@pytest.mark.long
def test_the_same_deploy_in_flys_order_breaks_what_this_one_keeps(tmp_path: Path) -> None:
    """Negative control: the same load sees what routing before saving loses, side by side, and nothing is left.

    Told in a terminal: there Pulumi shows its preview, and what is waited for, as it does to people.
    """
    arguments = ("--players", "12", "--machines", "1")
    code, said = play_in_a_terminal(tmp_path, *arguments, module="demo.unsafe")
    assert code == 0, said
    assert re.search(r"Type +Name +Plan +Info", said)
    assert LIVE.search(said)
    assert "handoff window: blue's first cordon to green's first answer" in said
    assert WAITING.search(said)
    data = read_data(tmp_path, "comparison")
    safe, unsafe = data["handoff"]["verdict"], data["overlap"]["verdict"]
    assert data["handoff"]["passed"]
    assert safe["acknowledged"] == safe["found"]
    assert unsafe["lost"] + unsafe["rooms_with_two_owners"] > 0
    assert (data["handoff"]["overlap"], data["overlap"]["window"]) == (None, None)
    assert f"rooms with two owners   0                     {unsafe['rooms_with_two_owners']}" in said
    assert find_marked(tmp_path / "mark") == {}


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
