"""A real ``pulumi up`` whose creations do nothing but watch it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from demo.engine import engine_alone
from demo.local import CHECKOUT
from demo.session import end_session
from tests.engine.backend import new_stack

DEADLINE_S = 60


@dataclass(frozen=True)
class Watched:
    """A running ``pulumi up``, and what each of its creations tells, line by line."""

    pulumi: subprocess.Popen[str]
    told: list[IO[str]]

    def read(self) -> list[dict[str, Any]]:
        """The next line of each."""
        return [json.loads(lines.readline()) for lines in self.told]


@contextmanager
def watching(folder: Path, count: int = 1) -> Iterator[Watched]:
    """`pulumi up` with so many creations that watch it, all of them begun; all gone when the block ends."""
    (folder / "project").mkdir()
    for file in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(CHECKOUT / "tests" / "crash" / "watched" / file, folder / "project")
    environ = os.environ | engine_alone(folder) | {"PYTHONPATH": str(CHECKOUT)}
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(DEADLINE_S)
        settings = (f"told=127.0.0.1:{listener.getsockname()[1]}", f"count={count}")
        options = [part for setting in settings for part in ("-c", setting)]
        run = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "test", *options]
        new_stack(folder)
        pulumi = stack.enter_context(
            subprocess.Popen(
                run,
                cwd=folder / "project",
                env=environ,
                stdout=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        )
        stack.callback(end_session, pulumi.pid)
        connections = [stack.enter_context(listener.accept()[0]) for _ in range(count)]
        for connection in connections:
            connection.settimeout(DEADLINE_S)
        yield Watched(pulumi, [stack.enter_context(one.makefile("r")) for one in connections])
