"""Scripts play the same history again and again, also from the text that a failure prints; and broken promises fail."""

from __future__ import annotations

import random
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from providers.bluegreen.model import MachineSeen, Proof
from providers.gates.store import StateStore
from tests.histories.accounts import Lost
from tests.histories.play import play
from tests.histories.replay import as_text, script_of
from tests.histories.steps import (
    Boots,
    Break,
    Calls,
    Edit,
    Hand,
    Host,
    Kill,
    Pass,
    Resume,
    Script,
    Start,
    Store,
    Suspend,
)
from tests.histories.test_histories import played_or_told

ROOT = Path(__file__).parents[2]
EVERYTHING = Script(
    seed=7,
    drain="request",
    cutover="handoff",
    last="v3",
    steps=(
        Start(0, "v1"),
        Calls(0, 60),
        Edit(),
        Start(0, "v2"),
        Calls(0, 8),
        Suspend(0),
        Start(1, "v3"),
        Break(1, "500 applied", 3, 2),
        Pass(40.0),
        Resume(0),
        Hand("cordon", 1),
        Hand("clone", 0),
        Store("down"),
        Pass(3.0),
        Kill(1, 2, applied=True),
        Host("dies", 2),
        Boots("flap"),
        Store("up"),
        Edit(),
        Pass(30.0),
    ),
)


def test_a_script_plays_the_same_history_twice() -> None:
    """Ids, nonces, jitter, times and the order of everything come from the script alone."""
    assert play(EVERYTHING).records == play(EVERYTHING).records


def test_what_other_threads_draw_changes_no_history() -> None:
    """A test may leave one behind: boto3's retries have a jitter, and a WebSocket its masks."""
    over = threading.Event()

    def draw() -> None:
        while not over.is_set():
            random.random()
            random.uniform(0, 1)
            secrets.token_bytes(4)

    alone = play(EVERYTHING).records
    other = threading.Thread(target=draw)
    other.start()
    try:
        assert play(EVERYTHING).records == alone
    finally:
        over.set()
        other.join()


def test_another_seed_plays_another_history() -> None:
    """The comparison above could fail."""
    other = Script(8, EVERYTHING.drain, EVERYTHING.cutover, EVERYTHING.last, EVERYTHING.steps)
    assert play(EVERYTHING).records != play(other).records


def test_the_printed_text_is_the_same_script(tmp_path: Path) -> None:
    """What a failure prints, written to a file, names the script that has failed."""
    file = tmp_path / "test_again.py"
    file.write_text(as_text(EVERYTHING))
    assert script_of(file) == EVERYTHING


def test_the_printed_text_replays_the_same_history_in_another_process(tmp_path: Path) -> None:
    """As people do it, by the module; and by pytest, since the text is a test as well."""
    file = tmp_path / "test_again.py"
    file.write_text(as_text(EVERYTHING))
    replayed = _run("-m", "tests.histories.replay", str(file))
    told = [line for line in replayed.splitlines() if line.startswith("{'n':")]
    assert told == [str(record) for record in play(EVERYTHING).records]
    assert "1 passed" in _run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(file))


def _run(*argv: str) -> str:
    done = subprocess.run(
        [sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_failure_carries_the_text_that_replays_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A history in which edits vanish fails; its note is a script that fails as well, of no more steps than needed."""
    _lose_every_edit(monkeypatch)
    with pytest.raises(Lost) as failed:
        played_or_told(EVERYTHING)
    file = tmp_path / "test_again.py"
    file.write_text("".join(failed.value.__notes__).partition("plays it again:\n\n")[2])
    assert len(script_of(file).steps) < len(EVERYTHING.steps)
    with pytest.raises(Lost):
        play(script_of(file))


def test_any_exception_carries_the_text_that_replays_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The product may let out what is no broken promise: that is replayed as well, and made shorter by its own kind."""
    monkeypatch.setattr("providers.bluegreen.deploy.resolve", _broken)
    with pytest.raises(KeyError) as failed:
        played_or_told(EVERYTHING)
    file = tmp_path / "test_again.py"
    file.write_text("".join(failed.value.__notes__).partition("plays it again:\n\n")[2])
    assert len(script_of(file).steps) < len(EVERYTHING.steps)
    with pytest.raises(KeyError):
        play(script_of(file))


def _broken(*_: object, **__: object) -> None:
    raise KeyError


def _lose_every_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that says that it has saved, and has not."""
    monkeypatch.setattr("tests.bluegreen.scripted_app.ScriptedApp._save", lambda *_: None)
    monkeypatch.setattr("providers.bluegreen.actions.proving.prove_saved", _proven)
    monkeypatch.setattr(
        "tests.bluegreen.scripted_app.ScriptedApp.try_to_save", lambda app, life, *_: life.become("saved")
    )


async def _proven(store: StateStore, prefix: str, machine: MachineSeen, **_: object) -> Proof:
    return Proof(machine.id)
