"""Local Fly, looked at past the deployer: its machines, their processes, and what was asked of its API."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import stamina

from demo.local import CREDENTIALS, Platform

APP = "rooms"


def running(pids: Iterable[str]) -> list[str]:
    """Those of these process ids that are still somebody's."""
    return [pid for pid in pids if Path("/proc", pid).exists()]


Machines = dict[str, dict[str, Any]]


class _Limited(Exception):
    """The deployer has just asked the same: its rate limits are everybody's."""


@dataclass(frozen=True)
class LocalFly:
    """``began``: where its history ended when the test began, in bytes."""

    platform: Platform
    began: int

    @staticmethod
    def of(platform: Platform) -> LocalFly:
        return LocalFly(platform, platform.history.stat().st_size)

    @stamina.retry(on=_Limited, timeout=30.0, attempts=None, wait_initial=0.1, wait_max=0.5)
    def ask(self, path: str) -> Any:
        """What the API says of the app."""
        headers = {"authorization": f"Bearer {CREDENTIALS['FLY_API_TOKEN']}"}
        url = f"{self.platform.api_url}/v1/apps/{APP}{path}"
        answer = httpx.get(url, headers=headers, trust_env=False, timeout=30)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _Limited
        return answer.raise_for_status().json()

    def machines(self, generation: int | None = None) -> Machines:
        """The machines that exist, all or those of one release, by name; each as the history saw it last."""
        latest = {record["name"]: record for record in self.history("machine")}
        return {
            name: record
            for name, record in sorted(latest.items())
            if record["state"] not in ("destroying", "destroyed")
            and (generation is None or name.startswith(f"{APP}-g{generation}-"))
        }

    def described(self, generation: int) -> Machines:
        """The machines of one release as the API describes them."""
        machines = self.machines(generation).items()
        return {name: self.ask(f"/machines/{machine['machine_id']}") for name, machine in machines}

    def processes(self, generation: int) -> dict[str, int]:
        """The process ids of one release's machines that run, by the machines' names."""
        running = {name: m for name, m in self.machines(generation).items() if m["state"] == "started"}
        return {name: self.ask(f"/machines/{m['machine_id']}/ps")[0]["pid"] for name, m in running.items()}

    def freeze(self, generation: int) -> Callable[[], None]:
        """Stop one release's processes where they are, as if they hung. What is returned lets them go on."""
        pids = list(self.processes(generation).values())
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def thaw() -> None:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

        return thaw

    def routed(self) -> set[str]:
        """The names of the machines that the proxy sends players to."""
        ids = self.history("routes")[-1]["machine_ids"]
        return {name for name, machine in self.machines().items() if machine["machine_id"] in ids}

    def calls(self, *actions: str) -> list[dict[str, Any]]:
        """The requests with these actions since the test began, in order."""
        return [record for record in self.history("request") if record["action"] in actions]

    def history(self, kind: str) -> list[dict[str, Any]]:
        """The simulator's records of one kind since the test began."""
        with self.platform.history.open("rb") as file:
            file.seek(self.began)
            lines = [line for line in file if line.endswith(b"\n")]  # the last one may be half written
        sought = f'"kind":"{kind}"'.encode()
        return [json.loads(line) for line in lines if sought in line]
