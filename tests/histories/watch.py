"""The world's history as the promises read it: whose doing each change was, and which machines are strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from simulator.clock import Clock
from simulator.history import History, Record
from tests.bluegreen.promises import Promises
from tests.bluegreen.watched import WatchedHistory
from tests.histories.accounts import Accounts

STRANGERS = ("worker-", "clone-")
"""How the names of machines begin that nobody deployed."""
HAND = -1


@dataclass
class _Doer:
    who: int
    active: bool = True


_DOER: ContextVar[_Doer | None] = ContextVar("_DOER", default=None)


@contextmanager
def done_by(who: int) -> Iterator[None]:
    """What changes in here is this deployer's doing, or that of somebody's ``HAND``; what goes on later is not."""
    doer = _Doer(who)
    token = _DOER.set(doer)
    try:
        yield
    finally:
        doer.active = False
        _DOER.reset(token)


def _by() -> int | None:
    doer = _DOER.get()
    return doer.who if doer and doer.active else None


class Heard(WatchedHistory):
    """``excused``: ids of machines that people or hosts have changed, and for which no run has answered since;
    ``changed``: when each last was. ``sick``: those that go on failing. ``by_hand``: those that a hand has routed.
    ``claimed``: those that a success said to serve.
    """

    def __init__(self, clock: Clock, promises: Promises, accounts: Accounts) -> None:
        super().__init__(clock, promises)
        self.promises = promises
        self.accounts = accounts
        self.listeners: list[Callable[[Record], None]] = []
        self.excused: set[str] = set()
        self.changed: dict[str, float] = {}
        self.sick: set[str] = set()
        self.boots_well = True
        self.by_hand: set[str] = set()
        self.claimed: set[str] = set()
        self._leaving: set[str] = set()

    def excuse(self, machine_id: str) -> None:
        self.excused.add(machine_id)
        self.changed[machine_id] = self._clock.now()

    def let_in_by_hand(self, machine_id: str) -> bool:
        """Whether users reach it only because a hand has routed it, before its cluster was ever committed."""
        told = self.promises.told
        committed = told.release(machine_id) in told.owners or machine_id in self.claimed
        return machine_id in self.by_hand and not committed

    def answered(self, since: float) -> None:
        """A run that began then says that its cluster serves: what others did before is no excuse any more."""
        self.excused = {key for key in self.excused if self.changed[key] >= since} | self.sick

    def add(self, kind: str, **fields: Any) -> Record:
        record = History.add(self, kind, by=_by(), **fields)
        self.accounts.hear(record)
        for listener in self.listeners:
            listener(record)
        if kind == "machine" and fields["state"] == "starting" and not self.boots_well:
            self.sick.add(fields["machine_id"])
            self.excuse(fields["machine_id"])
        told = self.promises.told
        deployers = record["by"] not in (None, HAND) and kind == "machine"
        let_in = deployers and self.let_in_by_hand(record["machine_id"])
        told.excused = self.excused - {record["machine_id"]} if deployers and not let_in else self.excused
        self.promises.read(self._as_read(record))
        return record

    def _as_read(self, record: Record) -> Record:
        if record["kind"] == "machine":
            self._note_hand(record)
            stranger = record["name"].startswith(STRANGERS)
            return record | {"release": ""} if stranger else record
        if record["kind"] == "routes":
            return record | {"machine_ids": self._without_hands(record["machine_ids"])}
        return record

    def _note_hand(self, record: Record) -> None:
        """Until a deployer uncordons it itself, or has cordoned it and the proxy knows."""
        key, by, why = record["machine_id"], record["by"], record["why"]
        before = self.promises.told.machines.get(key)
        if by == HAND and why == "uncordon" and before and not before["cordoned"]:
            return
        if by == HAND and why in ("uncordon", "start"):
            self.by_hand.add(key)
            self._leaving.discard(key)
        elif by is not None and why == "uncordon":
            self.by_hand.discard(key)
        elif by is not None and why == "cordon":
            self._leaving.add(key)

    def _without_hands(self, routed: list[str]) -> list[str]:
        """Without those that are a hand's doing: let in before a commit, or beside another cluster."""
        told = self.promises.told
        gone = self._leaving - set(routed)
        self.by_hand -= gone
        self._leaving -= gone
        if len({told.release(key) for key in routed} - {""}) < 2:
            return [key for key in routed if not self.let_in_by_hand(key)]
        return [key for key in routed if key not in self.by_hand]
