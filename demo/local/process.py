"""A child process that says when it is ready, and that is gone when the block that started it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from simulator.spawn import LAUNCHER

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 30.0
END_SECONDS = 5.0
LOOK_SECONDS = 0.02


class NotReady(Exception):
    """A child ended, or was not ready in time; what it had to say is on stderr."""


class Child:
    """A Python module run as a program, in a session of its own: Ctrl-C on the terminal reaches its parent alone."""

    def __init__(self, what: str, module: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._what = what
        self._process = subprocess.Popen(
            bind_to_this_process([sys.executable, "-m", module, *arguments]),
            cwd=CHECKOUT,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_ready(self, ready_file: Path) -> dict[str, str]:
        """Wait for its ready file, and read it. Raises NotReady when it ended, or after READY_SECONDS."""
        due = time.monotonic() + READY_SECONDS
        pidfd = os.pidfd_open(self._process.pid)
        try:
            while not ready_file.exists():
                if select.select([pidfd], [], [], LOOK_SECONDS)[0]:
                    raise NotReady(f"{self._what} ended with {self._process.wait()} before it was ready")
                if time.monotonic() > due:
                    raise NotReady(f"{self._what} was not ready after {READY_SECONDS:g} s")
        finally:
            os.close(pidfd)
        ready: dict[str, str] = json.loads(ready_file.read_text(encoding="utf-8"))
        return ready

    def end(self) -> None:
        """SIGTERM, on which it ends its own children; what is left after END_SECONDS is killed."""
        try:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def bind_to_this_process(argv: Sequence[str]) -> list[str]:
    """`argv` as a program that Linux kills when this process ends, also when it ends by SIGKILL."""
    return [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), *argv]


@contextmanager
def running(
    what: str, module: str, arguments: Mapping[str, object], env: Mapping[str, str]
) -> Iterator[Child]:
    """Run `python -m module --name value …` as long as the block takes."""
    options = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    child = Child(what, module, options, env)
    try:
        yield child
    finally:
        child.end()
