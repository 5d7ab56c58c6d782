"""The example app's side of a handover as a script in virtual time: edits in memory, and all the ways to save them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.bluegreen.failures import NotYet
from providers.bluegreen.polling import polling
from providers.gates.store import StoreError
from simulator.runtime import Boot
from simulator.runtime_virtual import Behaviour
from tests.bluegreen.memory_store import MemoryStore


@dataclass
class Life:
    """One boot of one machine: its memory, and where its drain stands. ``tell`` hears what state it is in."""

    boot: Boot
    started_at: float
    tell: Callable[[str, str], None]
    state: str = ""
    drain: str | None = None
    asked_at: float = 0.0
    edits: list[str] = field(default_factory=list)

    def become(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.tell(self.boot.machine_id, state)


@dataclass
class ScriptedApp:
    """Every machine's app. ``acknowledged``: edits that a player was promised; ``saved``: those in the store."""

    store: MemoryStore
    now: Callable[[], float]
    tell: Callable[[str, str], None] = lambda machine_id, state: None
    lives: dict[str, Life] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    saved: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    outage: bool = False
    on_drain: Callable[[Boot], Awaitable[None]] | None = None
    on_stop: Callable[[Boot], Awaitable[None]] | None = None

    def behaviour(
        self,
        *,
        saves: bool = True,
        manifest: Mapping[str, Any] | None = None,
        drain_takes: float = 1.0,
        rehearsal: tuple[int, bytes] = (200, b'{"rooms": 1, "objects": 1, "bytes": 9}'),
        **script: Any,
    ) -> Behaviour:
        """``saves``: whether it saves at all when it is to; ``manifest``: fields of its manifest that are spoiled."""
        app = _Script(self, saves, dict(manifest or {}), drain_takes, rehearsal)
        hooks = {"on_start": self.start, "on_stop": app.stop, "on_signal": app.signal, "serve": app.serve}
        return Behaviour(**{**hooks, **script})

    async def start(self, boot: Boot) -> None:
        life = self.lives[boot.machine_id] = Life(boot, self.now(), self.tell)
        life.become("serving")

    def turn(self, life: Life, method: str, body: bytes) -> None:
        if method == "POST":
            life.drain, life.asked_at = json.loads(body)["drain"], self.now()
            life.become("draining")
        elif method == "DELETE":
            life.drain = None
            life.become("serving")

    def edit(self, machine_id: str) -> bool:
        """A player's edit, acknowledged where the machine takes it."""
        life = self.lives[machine_id]
        if life.state != "serving":
            return False
        name = f"edit {len(self.acknowledged)} on {life.boot.name}"
        life.edits.append(name)
        self.acknowledged.append(name)
        return True

    def lost(self, running: set[str]) -> set[str]:
        """Acknowledged edits that are neither in the store nor in the memory of a machine that runs."""
        kept = {edit for key, life in self.lives.items() if key in running for edit in life.edits}
        return set(self.acknowledged) - self.saved - kept

    async def save_until_done(self, life: Life, drain: str | None, changes: dict[str, Any]) -> None:
        async for attempt in polling():
            with attempt:
                try:
                    self._save(life, drain, changes)
                except StoreError:
                    raise NotYet from None

    def try_to_save(self, life: Life, drain: str | None, changes: dict[str, Any]) -> None:
        try:
            self._save(life, drain, changes)
        except StoreError:
            return
        life.become("saved")

    def _save(self, life: Life, drain: str | None, changes: dict[str, Any]) -> None:
        """A room, then the manifest."""
        if self.store.down or self.outage:
            raise StoreError("the store does not answer")
        boot = life.boot
        release, prefix = (
            boot.env.get("BLUEGREEN_RELEASE", "none"),
            boot.env.get("BLUEGREEN_STATE_PREFIX", ""),
        )
        key = f"{prefix}rooms/{boot.machine_id}.json"
        room = json.dumps([boot.instance_id, life.edits]).encode()
        manifest = {
            "version": 1,
            "release": release,
            "machine_id": boot.machine_id,
            "instance_id": boot.instance_id,
            "started_at": life.started_at,
            "saved_at": self.now(),
            "drain": drain,
            "objects": [{"key": key, "etag": self.store.put(key, room), "bytes": len(room)}],
            "counts": {"rooms": 1},
        }
        self.saved |= set(life.edits)
        content = json.dumps(manifest | changes).encode()
        self.store.put(f"{prefix}manifests/{release}/{boot.machine_id}.json", content)


@dataclass(frozen=True)
class _Script:
    """The hooks of one behaviour."""

    app: ScriptedApp
    saves: bool
    changes: dict[str, Any]
    drain_takes: float
    rehearsal: tuple[int, bytes]

    async def stop(self, boot: Boot) -> None:
        if self.app.on_stop:
            await self.app.on_stop(boot)
        life = self.app.lives[boot.machine_id]
        if self.saves and life.state != "saved":
            await self.app.save_until_done(life, None, self.changes)
            life.become("saved")  # no edit is acknowledged between the last save and the exit

    async def signal(self, boot: Boot, name: str) -> None:
        life = self.app.lives[boot.machine_id]
        self.app.requests.append((boot.name, name))
        if name == "SIGHUP":
            life.become("serving")
            return
        if self.app.on_drain:
            await self.app.on_drain(boot)
        life.become("draining")
        if self.saves:
            await self.app.save_until_done(life, None, self.changes)
            life.become("saved")

    async def serve(self, boot: Boot, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        self.app.requests.append((boot.name, f"{method} {target}"))
        if target == "/rehearsal":
            return self.rehearsal
        if target != "/drain":
            return 200, json.dumps({"machine_id": boot.machine_id}).encode()
        life = self.app.lives[boot.machine_id]
        if method == "POST" and self.app.on_drain:
            await self.app.on_drain(boot)
        self.app.turn(life, method, body)
        due = self.app.now() >= life.asked_at + self.drain_takes
        if life.state == "draining" and self.saves and due:
            self.app.try_to_save(life, life.drain, self.changes)
        status = {"state": life.state, "drain": life.drain, "done": 0, "total": 1}
        return 200, json.dumps(status).encode()
