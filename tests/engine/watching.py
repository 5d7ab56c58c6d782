"""A command in a terminal, as somebody watches it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from demo.session import end_session
from demo.terminal import at_a_terminal, open_terminal, read

DEADLINE_S = 120.0
ROWS, COLUMNS = 50, 300
"""Wide enough for whole lines: Pulumi cuts a row at the terminal's edge."""
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])|\r")


def watch(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    *,
    ci: bool = False,
    deadline_s: float = DEADLINE_S,
) -> subprocess.CompletedProcess[str]:
    """All that was drawn, without colours and moves of the cursor."""
    with open_terminal(ROWS, COLUMNS) as (reader, end):
        process = subprocess.Popen(
            at_a_terminal(command),
            cwd=cwd,
            env=_environ(env, ci=ci),
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)
        try:
            drawn = b"".join(pieces(reader, deadline_s))
            code = process.wait(deadline_s)
        finally:
            end_session(process.pid)
            process.wait()
    return subprocess.CompletedProcess(list(command), code, plain(drawn))


def pieces(reader: int, deadline_s: float) -> Iterator[bytes]:
    """What is written to a terminal, until the last program has left it."""
    due = time.monotonic() + deadline_s
    while select.select([reader], [], [], max(0.0, due - time.monotonic()))[0]:
        if not (piece := read(reader)):
            return
        yield piece
    raise TimeoutError(f"not done after {deadline_s:g} s")


def plain(drawn: bytes) -> str:
    """The text, a line for each that was drawn."""
    return _CONTROL.sub("", drawn.decode(errors="replace"))


def _environ(env: Mapping[str, str], *, ci: bool) -> dict[str, str]:
    """A terminal that somebody watches, also where these tests run in CI, which Pulumi knows by many variables."""
    kept = {name: value for name, value in env.items() if name != "CI"}
    told = {"CI": "true"} if ci else {"PULUMI_DISABLE_CI_DETECTION": "true"}
    return kept | told | {"TERM": "xterm-256color"}
