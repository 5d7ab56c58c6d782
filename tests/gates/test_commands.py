"""Commands on the deployer's side: real programs, what they say, and that none of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from providers.bluegreen.failures import GateFailed
from providers.gates.commands import CommandEnd, deployer_environment, run_command
from providers.gates.lines import MOST_LAST_LINES, MOST_LINES
from providers.gates.output import Scrubber
from tests.demo.left_behind import find_marked
from tests.tunnels.ends import has_ended, living

PATIENCE_S = 30.0
WAIT = "import signal; signal.pause()"
# A child in the program's own group, one that made a session of its own, and an orphan of such a one.
FAMILY = f"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
waiter = [sys.executable, "-I", "-S", "-c", {WAIT!r}]
child = subprocess.Popen(waiter)
apart = subprocess.Popen(waiter, start_new_session=True)
middle = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=2).pid)"
orphan = subprocess.run([sys.executable, "-c", middle, *waiter], stdout=subprocess.PIPE)
print(os.getpid(), child.pid, apart.pid, int(orphan.stdout), flush=True)
"""
pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a failed test leaves is ended: all that a test starts inherits this variable."""
    monkeypatch.setenv("STARTED_BY_TEST", str(tmp_path))
    yield
    for pid in find_marked(tmp_path):
        os.kill(pid, signal.SIGKILL)


class Deadlines:
    """Lets a command's deadline pass at once, whenever the test wants, instead of in real time."""

    def __init__(self) -> None:
        self._move_on_after = anyio.move_on_after
        self._scopes: list[anyio.CancelScope] = []

    def make(self, delay: float, shield: bool = False) -> anyio.CancelScope:
        scope = self._move_on_after(delay, shield=shield)
        self._scopes.append(scope)
        return scope

    def pass_now(self) -> None:
        self._scopes[0].deadline = anyio.current_time()


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    made = Deadlines()
    monkeypatch.setattr(anyio, "move_on_after", made.make)
    return made


async def run(
    *argv: str,
    heed: Callable[[str], None] = lambda line: None,
    deadline_s: float = PATIENCE_S,
    secrets: tuple[str, ...] = (),
) -> CommandEnd:
    env = deployer_environment({})
    return await run_command(argv, env=env, heed=heed, deadline_s=deadline_s, scrubber=Scrubber(secrets))


async def run_python(program: str, **options) -> CommandEnd:
    return await run(sys.executable, "-c", program, **options)


async def test_a_command_that_exits_with_0_passes() -> None:
    """Its output and its errors are one sequence of lines, and the last ones are kept."""
    told: list[str] = []
    end = await run("sh", "-c", "echo one; echo two >&2; printf three", heed=told.append)
    assert end.passed
    assert told == ["one", "two", "three"]
    assert end.last_lines == ("one", "two", "three")


async def test_a_failed_command_says_how_it_ended() -> None:
    """By its code, or by the signal that ended it."""
    end = await run("sh", "-c", "exit 3")
    assert not end.passed
    assert (end.exit_code, str(end)) == (3, "sh exited with code 3")
    end = await run("sh", "-c", "kill -SEGV $$")
    assert not end.passed
    assert (end.exit_code, str(end)) == (-11, "sh was ended by SIGSEGV")


async def test_lines_are_heard_as_they_come(tmp_path: Path) -> None:
    """A program that waits for what follows from its first line gets on."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    told: list[str] = []

    def heed(line: str) -> None:
        told.append(line)
        if line == "ready":
            os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
            fifo.unlink()

    end = await run_python(
        f"""
import os
print("ready", flush=True)
while os.path.exists({str(fifo)!r}):
    os.sched_yield()
print("done")
""",
        heed=heed,
    )
    assert end.passed
    assert told == ["ready", "done"]


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    """What looks like shell in an argument is just text."""
    told: list[str] = []
    argument = f"$(touch {tmp_path}/made); * > x && $HOME"
    await run("echo", argument, heed=told.append)
    assert told == [argument]
    assert os.listdir(tmp_path) == []


async def test_a_command_has_no_input() -> None:
    """One that asks a question gets the end of the input at once, and does not hang."""
    assert (await run_python("import sys; assert sys.stdin.read() == ''")).passed


async def test_the_deployers_tokens_stay_with_the_deployer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test gets the environment that its author knows, what it is given, and none of the keys to Fly and Pulumi."""
    for name in ("FLY_API_TOKEN", "FLY_ACCESS_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG"):
        monkeypatch.setenv(name, "a-token")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a-token")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "a-token")
    monkeypatch.setenv("AWS_PROFILE", "staging")
    monkeypatch.setenv("PYTHONPATH", "lib")
    told: list[str] = []
    env = deployer_environment({"BLUEGREEN_RELEASE": "2-abc"})
    await run_command(["env"], env=env, heed=told.append, deadline_s=PATIENCE_S, scrubber=Scrubber(()))
    assert not [line for line in told if "a-token" in line]
    assert {"AWS_PROFILE=staging", "PYTHONPATH=lib", "BLUEGREEN_RELEASE=2-abc"} <= set(told)
    assert "PATH=" + os.environ["PATH"] in told


@pytest.mark.parametrize(
    "argv", ["no-such-program", "/etc/passwd", "a\0b"], ids=["absent", "no program", "no name"]
)
async def test_a_command_that_cannot_be_started_is_named(argv: str) -> None:
    """So that a typo in the configuration is seen as one."""
    with pytest.raises(GateFailed, match=f"{argv.partition(chr(0))[0]}.*cannot be started: "):
        await run(argv)


async def test_a_program_gets_the_signals_of_a_fresh_one() -> None:
    """Python ignores SIGPIPE, and a program that inherits that never ends when its reader has."""
    assert (await run("sh", "-c", "yes | head -n 1; trap '' PIPE")).last_lines == ("y",)
    end = await run("sh", "-c", "kill -PIPE $$")
    assert end.exit_code == -13


async def test_a_hanging_command_is_killed_with_all_it_started(deadlines: Deadlines) -> None:
    """At its deadline, whatever it does with SIGTERM, and wherever its children went."""
    family: list[int] = []

    def heed(line: str) -> None:
        family.extend(map(int, line.split()))
        deadlines.pass_now()

    end = await run_python(FAMILY + "signal.pause()", heed=heed)
    assert end.timed_out
    assert not end.passed
    assert str(end) == f"{sys.executable} was not done after 30s, and was killed"
    assert len(family) == 4
    assert all(map(has_ended, family))


async def test_a_cancelled_command_is_killed_with_all_it_started() -> None:
    """When another test has failed, or the deployer is asked to stop."""
    family: list[int] = []
    async with anyio.create_task_group() as group:

        def heed(line: str) -> None:
            family.extend(map(int, line.split()))
            group.cancel_scope.cancel()

        await run_python(FAMILY + "signal.pause()", heed=heed)
    assert len(family) == 4
    assert all(map(has_ended, family))


async def test_what_a_command_left_behind_is_ended_with_it() -> None:
    """A child that holds the output open does not hang the test, and does not live on."""
    told: list[str] = []
    end = await run_python(FAMILY, heed=told.append)
    assert end.passed
    assert all(map(has_ended, map(int, told[0].split())))


async def test_an_output_that_somebody_holds_open_is_not_waited_for(tmp_path: Path) -> None:
    """A process out of reach, as one that a service started, may have the pipe for ever."""
    os.mkfifo(tmp_path / "go")
    opened = [os.open(tmp_path / "go", os.O_RDWR)]

    def heed(line: str) -> None:
        if line.isdecimal():
            opened.append(os.open(f"/proc/{line}/fd/1", os.O_WRONLY))
            os.write(opened[0], b"\n")

    try:
        end = await run("sh", "-c", f"echo $$; read go < {tmp_path}/go; printf done", heed=heed)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    assert len(opened) == 2
    assert end.passed
    assert end.last_lines[1:] == ("done",)


async def test_what_was_said_just_before_the_end_is_heard(tmp_path: Path) -> None:
    """All that the pipe still holds, here more than half a megabyte, after the program has gone."""
    os.mkfifo(tmp_path / "go")
    go = os.open(tmp_path / "go", os.O_RDWR)

    def heed(line: str) -> None:
        if line.startswith("guarded by "):
            os.write(go, b"!")
            assert has_ended(int(line.rpartition(" ")[2]), PATIENCE_S)  # nothing is read meanwhile

    program = f"""
import fcntl, os
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
print("guarded by", os.getppid(), flush=True)
open({str(tmp_path / "go")!r}, "rb").read(1)
os.write(1, b"x" * 600_000 + b"\\nthe end\\n")
"""
    try:
        end = await run_python(program, heed=heed)
    finally:
        os.close(go)
    assert end.last_lines[-1] == "the end"


async def test_the_deadline_is_the_one_that_was_given() -> None:
    """A command that does nothing is ended by the clock alone."""
    end = await run("sleep", "600", deadline_s=0.1)
    assert end.timed_out
    assert str(end) == "sleep was not done after 100ms, and was killed"
    assert not replace(end, exit_code=0).passed  # it may have ended at that very moment


async def test_endless_output_is_counted_and_not_kept(deadlines: Deadlines) -> None:
    """It fills neither memory nor the screen, and the deadline passes meanwhile."""
    told: list[str] = []

    def heed(line: str) -> None:
        told.append(line)
        if len(told) == MOST_LINES:
            deadlines.pass_now()

    end = await run("yes", heed=heed)
    assert end.timed_out
    assert told == ["y"] * MOST_LINES + [f"… {end.left_out:,} more lines"]
    assert end.last_lines == ("y",) * MOST_LAST_LINES


async def test_a_secret_in_two_writes_is_not_shown(deadlines: Deadlines) -> None:
    """A program writes its output in blocks, which end anywhere; the last one may never be written."""
    told: list[str] = []

    def heed(line: str) -> None:
        told.append(line)
        deadlines.pass_now()

    program = """
import os, signal
os.write(1, b"password: correct-horse")
os.write(2, b"-battery\\nagain: correct-ho")
signal.pause()
"""
    end = await run_python(program, heed=heed, secrets=("correct-horse-battery",))
    assert told == ["password: [secret]", "again: [secret]"]
    assert end.last_lines == ("password: [secret]", "again: [secret]")


DEPLOYER = f"""
import anyio, os, sys
from providers.gates.commands import run_command
from providers.gates.output import Scrubber

argv = [sys.executable, "-c", {FAMILY + "signal.pause()"!r}]
heed = lambda line: print(line, flush=True)
run = lambda: run_command(argv, env=dict(os.environ), heed=heed, deadline_s=600, scrubber=Scrubber(()))
anyio.run(run)
"""


def test_no_command_outlives_a_killed_deployer() -> None:
    """SIGKILL leaves the deployer no time to end anything, and the command ends all the same, with all it started."""
    with subprocess.Popen([sys.executable, "-c", DEPLOYER], stdout=subprocess.PIPE) as deployer:
        try:
            assert deployer.stdout
            family = [int(pid) for pid in deployer.stdout.readline().split()]
        finally:
            deployer.kill()
    assert len(family) == 4
    assert not living(family)
