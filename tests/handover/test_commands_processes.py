"""Commands that the deployer runs over real processes: what they are told, what they say, and how they end."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from tests.handover.kit import STAYING, V1, V2, Deployer, take_out
from tests.handover.local_fly import running
from tests.handover.untouched import Blue, assert_untouched

pytestmark = [pytest.mark.anyio, pytest.mark.long]

PASSWORD = "correct-horse-battery"
ASKS = """
import os, select, sys
print("is anybody there?", flush=True)
with open(sys.argv[1]) as answer:  # a named pipe: opened once somebody answers
    print("somebody said", answer.read(), "to", os.environ["DB_PASSWORD"])
print(*sorted(name for name in os.environ if "TOKEN" in name or "PULUMI" in name), "are told")
sys.exit(int(sys.argv[2]))
"""
HANGS = """
import os, signal, subprocess, sys
wait = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
own_session = subprocess.Popen(wait, start_new_session=True)
print("processes:", os.getpid(), subprocess.Popen(wait).pid, own_session.pid, flush=True)
signal.pause()
"""
MIGRATES = """
import os, sys
print("migrating as", os.environ["RELEASE_COMMAND"], os.environ["BLUEGREEN_RELEASE"])
print(sys.argv[1])
sys.exit(int(sys.argv[2]))
"""


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program, *arguments]


@pytest.mark.saver
@pytest.mark.parametrize("code", [0, 3])
async def test_a_command_is_heard_while_it_runs_and_its_secrets_by_nobody(
    deployer: Deployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It goes on only once its first line was answered; its password is in no line and no reason."""
    pipe = tmp_path / "answer"
    os.mkfifo(pipe)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "opens-the-state")
    await deployer.serve(V1)
    answer = threading.Thread(target=pipe.write_text, args=["yes"], daemon=True)  # waits until it is read
    deployer.when("test asks | is anybody there?", answer.start)
    asks = {
        "type": "command",
        "name": "asks",
        "argv": python(ASKS, str(pipe), str(code)),
        "env": {"DB_PASSWORD": PASSWORD},
    }
    outcome = await deployer.deploy(V2, tests=[asks])
    assert outcome.ending is (Ending.ABORTED if code else Ending.DEPLOYED)
    told = deployer.lines("test asks | ")
    assert told == ["is anybody there?", "somebody said yes to [secret]", "are told"]
    reasons = outcome.failure.reasons if outcome.failure else ()
    assert PASSWORD not in " ".join([*deployer.said, *reasons])


@pytest.mark.saver
async def test_a_hanging_command_is_killed_with_all_that_it_started(deployer: Deployer) -> None:
    """At its own deadline, not the phase's; also the child that made a session of its own."""
    await deployer.serve(V1)
    hangs = {"type": "command", "name": "hangs", "argv": python(HANGS), "deadline": "2s"}
    outcome = await deployer.deploy(V2, tests=[hangs])
    assert outcome.ending is Ending.ABORTED
    assert outcome.failure
    assert "hangs" in outcome.failure.reasons[0]
    assert "2s" in outcome.failure.reasons[0]
    processes = deployer.lines("test hangs | processes: ")[0].split()
    assert len(processes) == 3
    assert running(processes) == []


@pytest.mark.saver
async def test_the_release_command_runs_before_the_first_machine_of_green(deployer: Deployer) -> None:
    """In a machine of its own, which is gone afterwards."""
    await deployer.serve(V1)
    outcome = await deployer.deploy(V2, release_command={"argv": python(MIGRATES, "done", "0")})
    assert outcome.ending is Ending.DEPLOYED, outcome.failure
    assert outcome.serving
    assert deployer.lines("release command | ") == [f"migrating as 1 {outcome.serving.release}", "done"]
    appeared = list(dict.fromkeys(record["name"] for record in deployer.fly.history("machine")))
    assert appeared[1:] == ["rooms-task-g2-release-command", "rooms-g2-ams-1"]
    assert set(deployer.fly.machines()) == deployer.names(2)


async def test_a_failing_release_command_aborts_with_its_last_lines(deployer: Deployer) -> None:
    """No machine of green is ever created, and blue is exactly as it was."""
    await deployer.serve(V1)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        outcome = await deployer.deploy(V2, release_command={"argv": python(MIGRATES, "no such table", "7")})
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.CREATE_NEW
        told = " ".join(outcome.failure.reasons)
        assert "code 7" in told
        assert "no such table" in told
        assert not [r for r in deployer.fly.history("machine") if r["name"].startswith("rooms-g2-")]
        await assert_untouched(deployer, players, before)


async def test_without_its_gate_nobody_runs_the_release_command(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the failing one goes unnoticed."""
    take_out(monkeypatch, Do.RELEASE_COMMAND)
    await deployer.serve(V1)
    outcome = await deployer.deploy(V2, release_command={"argv": python(MIGRATES, "no such table", "7")})
    assert outcome.ending is Ending.DEPLOYED
