"""The app's users: each call of a deployer is an occasion for one edit, through the proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import httpx

from simulator.model import Machine

HOST = "rooms.fly.dev"


@dataclass
class Users:
    """``accepted``: edits that the app answered for; ``saved``: those in the bucket."""

    http: httpx.AsyncClient
    proxy_url: str
    accepted: set[str] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)
    _sent: int = 0
    _waits: bool = False

    async def edit(self) -> None:
        """One edit, unless one is on its way already."""
        if self._waits:
            return
        self._waits, self._sent = True, self._sent + 1
        name = f"edit {self._sent}"
        try:
            answer = await self.http.post(f"{self.proxy_url}/edits", json=name, headers={"host": HOST})
            if answer.status_code == httpx.codes.OK:
                self.accepted.add(name)
        except httpx.HTTPError:
            pass  # nobody answered for it
        finally:
            self._waits = False

    def note_saved(self, content: bytes) -> None:
        """A machine has saved these."""
        self.saved |= set(json.loads(content))

    async def lost(self, machines: list[Machine]) -> set[str]:
        """Edits accepted by now that are neither saved nor in the memory of a machine that runs."""
        promised, kept = set(self.accepted), set()
        for machine in machines:
            if machine.state == "started":
                kept |= set((await self.http.get(f"http://{machine.address}:8080/edits")).json())
        return promised - kept - self.saved
