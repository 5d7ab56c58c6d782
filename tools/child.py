"""Run a child process and heed what it says, with a deadline, leaving none behind."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

Heed = Callable[[str], None]
"""Gets a line of output, or an empty string when there was none for a second."""

_Lines = queue.SimpleQueue[str | None]
_QUIET_SECONDS = 1.0
_KEPT_LINES = 20


class ChildError(Exception):
    """The child could not be started, failed, or was too slow; `lines` is the end of what it said."""

    def __init__(self, what: str, lines: Iterable[str] = ()) -> None:
        super().__init__(what)
        self.lines = tuple(lines)


def run(
    argv: Sequence[str],
    heed: Heed,
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> None:
    """Run `argv` to its end; `heed` gets each line of its output and errors.

    ChildError if it does not start, ends badly, or has not ended after `seconds`. Whatever ends this call
    early (Ctrl-C, an error in `heed`) kills the child and its children.
    """
    due = None if seconds is None else time.monotonic() + seconds
    said: deque[str] = deque(maxlen=_KEPT_LINES)
    with _start(argv, cwd, env) as child, _reading(child) as lines:
        while (line := _next(lines)) is not None:
            said.extend([line] if line else [])
            heed(line)
            if due is not None and time.monotonic() > due:
                raise ChildError(f"{argv[0]} was not done after {seconds:g} s", said)
    if child.returncode:
        raise ChildError(f"{argv[0]} ended with {child.returncode}", said)


@contextmanager
def _start(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None) -> Iterator[subprocess.Popen[str]]:
    """Start a child as the leader of a process group of its own, so that one signal ends all of it."""
    try:
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ChildError(f"{argv[0]} did not start: {error.strerror}") from error
    with child:
        yield child


@contextmanager
def _reading(child: subprocess.Popen[str]) -> Iterator[_Lines]:
    """Read the child's lines in a thread; it ends with the child, which an error ends at once."""
    lines: _Lines = queue.SimpleQueue()
    thread = threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True)
    thread.start()
    try:
        yield lines
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        thread.join()


def _pump(stream: IO[str], lines: _Lines) -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)


def _next(lines: _Lines) -> str | None:
    try:
        return lines.get(timeout=_QUIET_SECONDS)
    except queue.Empty:
        return ""


def end_on_sigterm() -> None:
    """Turn SIGTERM into SystemExit, so that children and half-made files are cleared up as after Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(128 + signal.SIGTERM))
