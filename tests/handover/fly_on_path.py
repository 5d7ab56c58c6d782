"""A `fly` for PATH whose `proxy` leads to the machine that it is asked for, as flyctl's does through WireGuard."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.handover.local_fly import APP

PROGRAM = """#!{python} -IS
import asyncio, json, os, signal, sys, urllib.request
local, remote = sys.argv[2].split(":")
machine = sys.argv[3].removesuffix(".vm.{app}.internal")
assert sys.argv[1::2][:1] == ["proxy"] and sys.argv[4:6] == ["--app", "{app}"]
with open("{runs}", "a") as runs:
    print(os.getpid(), machine, remote, file=runs)
request = urllib.request.Request(
    "{api}/v1/apps/{app}/machines/" + machine,
    headers={{"authorization": "Bearer " + os.environ["FLY_API_TOKEN"]}},
)
ask = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
address = json.load(ask.open(request))["private_ip"]


async def copy(reader, writer):
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def forward(reader, writer):
    there, back = await asyncio.open_connection(address, int(remote))
    await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)


async def main():
    async with await asyncio.start_server(forward, sys.argv[sys.argv.index("--bind-addr") + 1], int(local)) as server:
        await server.serve_forever()


asyncio.run(main())
"""


@dataclass(frozen=True)
class FlyOnPath:
    """A folder for PATH. ``runs``: the process id, machine and port of each run so far."""

    folder: Path

    def install(self, api_url: str) -> None:
        program = self.folder / "fly"
        text = PROGRAM.format(python=sys.executable, app=APP, api=api_url, runs=self.folder / "runs")
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)

    @property
    def runs(self) -> list[tuple[str, str, str]]:
        lines = (self.folder / "runs").read_text(encoding="utf-8").splitlines()
        return [(pid, machine, port) for pid, machine, port in map(str.split, lines)]
