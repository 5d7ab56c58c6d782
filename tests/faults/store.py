"""Faults of the state store as the deployer meets it. The apps' own way to it is another: theirs works."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from providers.gates.store import Head, StoreError, StoreRefused, StoreUnclear
from tests.bluegreen.virtual import Kit
from tests.faults.calls import Call, phase_of, short
from tests.faults.forks import Forks

FAULTS = ("down", "refused", "unclear", "unclear+")
"""No answer; a 403; a write whose answer is lost, not done or done (+)."""


@dataclass(frozen=True)
class StoreStrike:
    """One fault at one operation. For ever: at every operation from there on, whatever its key; where an answer is
    lost, at every create, since reads cannot be unclear.
    """

    call: Call
    fault: str
    for_ever: bool = False

    @property
    def is_lie(self) -> bool:
        return False


@dataclass
class FaultyStore:
    """The state store behind a fault. ``calls`` are all operations, named as calls of the API are."""

    kit: Kit
    forks: Forks | None = None
    strike: StoreStrike | None = None
    calls: list[Call] = field(default_factory=list)
    struck: int = 0
    _seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._from = len(self.kit.said)

    async def read(self, key: str) -> bytes | None:
        self._meet("read", key)
        return await self.kit.store.read(key)

    async def head(self, key: str) -> Head | None:
        self._meet("head", key)
        return await self.kit.store.head(key)

    async def list(self, prefix: str) -> tuple[str, ...]:
        self._meet("list", prefix)
        return await self.kit.store.list(prefix)

    async def create(self, key: str, body: bytes) -> bool:
        fault = self._meet("create", key)
        created = fault == "unclear" or await self.kit.store.create(key, body)
        if fault:
            raise StoreUnclear(f"{key}: no answer")
        return created

    def _meet(self, method: str, key: str) -> str:
        """The fault that only a create can have, or "". Raises the others."""
        call = self._name(method, key)
        self.calls.append(call)
        self.kit.edit_all()
        self.strike = (self.forks and self.forks.meet(call)) or self.strike
        if not self._strikes(call):
            return ""
        assert self.strike is not None
        self.struck += 1
        if self.strike.fault == "down":
            raise StoreError(f"{key}: the store does not answer")
        if self.strike.fault == "refused":
            raise StoreRefused(f"{key}: AccessDenied")
        return self.strike.fault

    def _strikes(self, call: Call) -> bool:
        if self.strike is None:
            return False
        lost = self.strike.fault.startswith("unclear")
        again = self.strike.for_ever and self.struck > 0 and (not lost or call.method == "create")
        return call == self.strike.call or again

    def _name(self, method: str, key: str) -> Call:
        told = self.kit.promises.told
        folder, _, name = key.rpartition("/")
        machine = told.machines.get(name.removesuffix(".json"))
        what = f"{folder.partition('/')[0]}/{short(machine['name']) if machine else name}"
        place = (phase_of(self.kit.said[self._from :]), method, what)
        self._seen[place] += 1
        return Call(*place, self._seen[place])
