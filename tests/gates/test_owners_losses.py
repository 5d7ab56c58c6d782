"""The commit point under every short sequence of losses, in virtual time: what is said of a record is so."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest

from providers.bluegreen.model import Ownership, Release
from providers.gates.owners import OwnerRecord, OwnerTaken, owner_key, record_owner
from providers.gates.store import Head, StateStore, StoreError, StoreRefused, StoreUnclear
from tests import virtual_time

BLUE, GREEN = Release(1, "3fa9c1d20e", "b1"), Release(2, "77ab01c2d3", "c1")
KEY = owner_key("p/", 7)
OURS = "ours"
RIVALS_RECORD = json.dumps(
    {"version": 1, "number": 7, "release": str(BLUE), "previous": None, "nonce": "theirs", "at": 1.0}
).encode()
LOSSES = (
    "nothing",
    "not sent",
    "refused",
    "request lost",
    "answer lost",
    "answer lost, and what is read next",
    "late: when the next one comes",
    "late: after the next one",
)
RIVALS = ("nobody", "was first", "after the first attempt")


@dataclass
class Network:
    """A bucket behind a network that loses these things of the first writes, one of each, and then nothing more."""

    losses: list[str]
    rival: str
    objects: dict[str, bytes] = field(default_factory=dict)
    before_next: list[bytes] = field(default_factory=list)
    after_next: list[bytes] = field(default_factory=list)
    unreadable: bool = False

    def __post_init__(self) -> None:
        if self.rival == "was first":
            self.arrive(RIVALS_RECORD)

    def arrive(self, *bodies: bytes) -> bool:
        """As S3 does it: what is there stays."""
        created = KEY not in self.objects
        for body in bodies:
            self.objects.setdefault(KEY, body)
        return created

    async def create(self, key: str, body: bytes) -> bool:
        self.arrive(*self.before_next)
        later, self.before_next, self.after_next = self.after_next, [], []
        try:
            return self._answer(self.losses.pop(0) if self.losses else "nothing", body)
        finally:
            self.arrive(*later)
            if self.rival == "after the first attempt":
                self.arrive(RIVALS_RECORD)

    def _answer(self, loss: str, body: bytes) -> bool:
        if loss == "refused":
            raise StoreRefused("403")
        if loss == "not sent":
            raise StoreError("nobody listens")
        if loss.startswith("late"):
            (self.after_next if "after" in loss else self.before_next).append(body)
        created = self.arrive(body) if loss.startswith(("nothing", "answer")) else False
        self.unreadable = loss.endswith("read next")
        if loss != "nothing":
            raise StoreUnclear(loss)
        return created

    async def read(self, key: str) -> bytes | None:
        if self.unreadable:
            self.unreadable = False
            raise StoreError("nobody listens")
        return self.objects.get(key)

    async def head(self, key: str) -> Head | None:
        content = await self.read(key)
        return Head(f'"{len(content)}"', len(content), 0.0) if content is not None else None

    async def list(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(key for key in self.objects if key.startswith(prefix)))

    def owner(self) -> str:
        """Whose record it is, once all that was sent has arrived."""
        self.arrive(*self.before_next, *self.after_next)
        content = self.objects.get(KEY)
        return json.loads(content)["nonce"] if content else "nobody"


RECORD = OwnerRecord(number=7, release=str(GREEN), previous=str(BLUE), nonce=OURS, at=2.0)
Record = Callable[[StateStore], Awaitable[None]]


async def record(store: StateStore) -> None:
    await record_owner(store, "p/", RECORD)


async def said(store: StateStore, act: Record) -> str:
    """Who is told to own the state."""
    try:
        await act(store)
    except OwnerTaken as taken:
        return "theirs" if taken.found == Ownership(7, BLUE) else f"{taken.found}'s"
    except StoreRefused:
        return "not ours"
    return OURS


def histories() -> Iterator[tuple[list[str], str]]:
    for losses, rival in itertools.product(itertools.product(LOSSES, repeat=3), RIVALS):
        yield list(losses), rival


async def find_lies(act: Record) -> list[str]:
    lies = []
    for losses, rival in histories():
        network = Network(losses.copy(), rival)
        told, owner = await said(network, act), network.owner()
        if told != owner and not (told == "not ours" and owner != OURS):
            lies.append(f"{losses}, {rival}: told {told}, is {owner}")
    return lies


def test_what_is_said_of_a_record_is_so() -> None:
    """Of 1,536 histories each ends, and whoever is told to own the state does: not before, not in spite of a rival."""
    assert virtual_time.run(partial(find_lies, record)) == []


@pytest.mark.parametrize(
    ("guess", "lie"),
    [(True, "told ours, is theirs"), (False, "told not ours, is ours")],
    ids=["hopes", "gives up"],
)
def test_who_guesses_is_found_out(guess: bool, lie: str) -> None:
    """Negative control: taking an unclear answer for a success, or for a failure, is told apart from the truth."""

    class Guessing(Network):
        async def create(self, key: str, body: bytes) -> bool:
            try:
                return await super().create(key, body)
            except StoreUnclear:
                if guess:
                    return True
                raise StoreRefused("perhaps not") from None

    async def act(store: StateStore) -> None:
        assert isinstance(store, Network)
        store.__class__ = Guessing
        await record(store)

    assert any(lie in told for told in virtual_time.run(partial(find_lies, act)))


def test_the_deadline_is_the_callers() -> None:
    """A store that stays down is asked until then, and each time it is told why."""
    reasons: list[str] = []

    class Down(Network):
        async def create(self, key: str, body: bytes) -> bool:
            raise StoreError("nobody listens")

    async def main() -> None:
        with anyio.move_on_after(60) as scope:
            await record_owner(Down([], "nobody"), "p/", RECORD, tell=reasons.append)
        assert scope.cancelled_caught

    virtual_time.run(main)
    assert set(reasons) == {"nobody listens"}
    assert 50 < len(reasons) < 100  # at first soon, later every second
