"""The names of saved rooms, in an order that no late write can change. No I/O.

    rooms/<room>/<owner number, 10 digits>-<sequence, 10 digits>.json

Each name is written once, and the highest one counts. A later owner's number comes first in that order, so whatever an
earlier owner still has under way when it loses the state ends up below what the next one writes, never in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ROOMS: Final = "rooms/"
ROOM_NAME: Final = r"[A-Za-z0-9_-]{1,64}"
_KEY: Final = re.compile(rf"rooms/({ROOM_NAME})/([0-9]{{10}})-([0-9]{{10}})\.json")


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Which write of a room: the number of the owner that wrote it, then a count within that ownership."""

    number: int = 0
    sequence: int = 0

    def next(self, number: int | None) -> Stamp:
        """The stamp of the write after this one by owner `number`; None, without a fence, keeps the number."""
        if number is None or number == self.number:
            return Stamp(self.number, self.sequence + 1)
        return Stamp(number, 1)


@dataclass(frozen=True, slots=True)
class StateKey:
    """One write of one room."""

    room: str
    stamp: Stamp

    def __str__(self) -> str:
        return f"{ROOMS}{self.room}/{self.stamp.number:010}-{self.stamp.sequence:010}.json"

    @staticmethod
    def parse(text: str) -> StateKey:
        """Read `str` of one; ValueError when it is anything else."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise ValueError(f"{text} is no room's state")
        return StateKey(found[1], Stamp(int(found[2]), int(found[3])))


def newest_of_each(keys: Iterable[StateKey]) -> dict[str, StateKey]:
    """Per room the key that counts."""
    newest: dict[str, StateKey] = {}
    for key in keys:
        known = newest.get(key.room)
        if known is None or known.stamp < key.stamp:
            newest[key.room] = key
    return newest
