"""A `fly` that forwards TCP to this machine's own loopback, and otherwise behaves, and misbehaves, as flyctl does."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = """#!{python}
import asyncio, json, os, signal, subprocess, sys
from pathlib import Path

HERE = Path(__file__).parent
WAITER = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
behaviour = json.loads((HERE / "behaviour").read_text())
earlier = len(list(HERE.glob("*.run")))
local, remote = sys.argv[2].split(":")


def record():
    child = subprocess.Popen(WAITER) if "child" in behaviour else None
    agent = subprocess.Popen(WAITER, process_group=0, stdout=subprocess.DEVNULL) if "agent" in behaviour else None
    run = {{
        "argv": sys.argv[1:],
        "env": dict(os.environ),
        "pid": os.getpid(),
        "guard": os.getppid(),
        "port": int(local),
        "child": child and child.pid,
        "agent": agent and agent.pid,
    }}
    written = HERE / f"{{earlier}}.{{os.getpid()}}.tmp"  # two that start at once count the same runs before them
    written.write_text(json.dumps(run))
    written.rename(written.with_suffix(".run"))


def fail_as_told():
    if "refuse" in behaviour:
        print("noise\\n" * 40_000, file=sys.stderr)
        sys.exit("\\x1b[31mError:\\x1b[0m no app for " + os.environ["FLY_API_TOKEN"])
    if "taken" in behaviour and not earlier:
        sys.exit(f"Error: listen tcp 127.0.0.1:{{local}}: bind: address already in use")


async def copy(reader, writer):
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def forward(reader, writer):
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(remote))
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)


async def main():
    loop = asyncio.get_running_loop()
    go = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, go.set)
    # Some versions of flyctl end when their input does.
    loop.add_reader(0, lambda: os.read(0, 1) or os._exit(0))
    record()
    fail_as_told()
    if "hold" in behaviour:
        await go.wait()
    if "deaf" not in behaviour:
        address = sys.argv[sys.argv.index("--bind-addr") + 1]
        server = await asyncio.start_server(forward, address, int(local))
    await asyncio.Event().wait()


asyncio.run(main())
"""


@dataclass(frozen=True)
class FakeFly:
    """The program in a folder of its own, and what its runs left there."""

    folder: Path

    def install(self, name: str = "fly") -> None:
        program = self.folder / name
        program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)
        self.behave()

    def behave(self, *behaviour: str) -> None:
        """How the next runs behave: refuse, taken, hold, deaf, child, agent."""
        (self.folder / "behaviour").write_text(json.dumps(behaviour), encoding="utf-8")

    def let_go(self) -> None:
        """End the wait of those that hold."""
        for run in self.runs:
            os.kill(run["pid"], signal.SIGUSR1)

    @property
    def runs(self) -> list[dict[str, Any]]:
        found = sorted(
            self.folder.glob("*.run"), key=lambda path: [int(part) for part in path.stem.split(".")]
        )
        return [json.loads(path.read_text(encoding="utf-8")) for path in found]

    @property
    def processes(self) -> list[int]:
        """Everything that must be gone with a run: not the agent."""
        return [run[kind] for run in self.runs for kind in ("guard", "pid", "child") if run[kind]]
