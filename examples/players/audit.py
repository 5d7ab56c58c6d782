"""Was every promise kept? Pure: the players' log and the rooms' final contents in, a verdict out."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Literal

from examples.players.log import Ack, Log


@dataclass(frozen=True, slots=True)
class TwoOwners:
    """Two machines accepted edits in one room: `first` and `second` are acknowledgements that prove it."""

    room: str
    why: Literal["same place", "after the new owner"]
    first: Ack
    second: Ack


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds that players waited for the first acknowledgement after a disconnect: each player's longest.

    A wait begins when the player wanted to edit. None where no player was disconnected.
    """

    players: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The verdict.

    `lost`: acknowledged, and not in the room. `moved`: in the room at another place than acknowledged.
    `duplicated`: ids that stand at two places of a room, as "room/edit".
    """

    acknowledged: int
    found: int
    lost: tuple[Ack, ...]
    moved: tuple[Ack, ...]
    duplicated: tuple[str, ...]
    two_owners: tuple[TwoOwners, ...]
    unacknowledged: int
    gap: Gap

    @property
    def passed(self) -> bool:
        """True when every acknowledged edit is where it was promised, once, by one owner at a time."""
        return not (self.lost or self.moved or self.duplicated or self.two_owners)

    def to_json(self) -> dict[str, object]:
        """As plain JSON values, with `passed`."""
        return {"passed": self.passed} | asdict(self)


def audit(log: Log, rooms: Mapping[str, Sequence[str]]) -> Audit:
    """Compare the log with `rooms`: per room the ids of its edits, in order, read after the players stopped.

    A room that is missing from `rooms` is a KeyError: contents that could not be read prove nothing.
    """
    places = {room: _places(edits) for room, edits in rooms.items()}
    held = [(ack, places[ack.room].get(ack.edit, [])) for ack in log.acks]
    return Audit(
        acknowledged=len(log.acks),
        found=sum(bool(at) for _, at in held),
        lost=tuple(ack for ack, at in held if not at),
        moved=tuple(ack for ack, at in held if at and ack.place not in at),
        duplicated=tuple(_duplicates(places)),
        two_owners=tuple(_find_two_owners(log.acks)),
        unacknowledged=len(log.unacked),
        gap=_summarise(_longest_gaps(log)),
    )


def _places(edits: Sequence[str]) -> dict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, edit in enumerate(edits, start=1):
        places[edit].append(place)
    return dict(places)


def _duplicates(places: Mapping[str, Mapping[str, Sequence[int]]]) -> Iterator[str]:
    for room, edits in places.items():
        yield from (f"{room}/{edit}" for edit, at in edits.items() if len(at) > 1)


def _find_two_owners(acks: Iterable[Ack]) -> Iterator[TwoOwners]:
    by_room: defaultdict[str, list[Ack]] = defaultdict(list)
    for ack in sorted(acks, key=attrgetter("acked")):
        by_room[ack.room].append(ack)
    for room in by_room.values():
        yield from _find_same_place(room)
        yield from _find_late_owners(room)


def _find_same_place(acks: Sequence[Ack]) -> Iterator[TwoOwners]:
    """Different edits that two machines promised the same place.

    One machine that promises a place twice has forgotten an edit in between, which is then lost.
    """
    first: dict[int, Ack] = {}
    for ack in acks:
        other = first.setdefault(ack.place, ack)
        if other.edit != ack.edit and other.machine_id != ack.machine_id:
            yield TwoOwners(ack.room, "same place", other, ack)


def _find_late_owners(acks: Sequence[Ack]) -> Iterator[TwoOwners]:
    """Owners that took an edit although the next owner had begun: the earliest proof of each.

    The edit must have been *sent* after the new owner's first acknowledgement had come: one that was merely
    read later may have waited in a buffer since before the handoff.
    """
    newest: dict[str, Ack] = {}  # each owner's first acknowledgement, in the order of the owners' appearance
    accused: set[str] = set()
    for ack in acks:
        newest.setdefault(ack.machine_id, ack)
        later = _owner_after(newest, ack)
        if later and ack.sent > later.acked and ack.machine_id not in accused:
            accused.add(ack.machine_id)
            yield TwoOwners(ack.room, "after the new owner", later, ack)


def _owner_after(firsts: Mapping[str, Ack], ack: Ack) -> Ack | None:
    for earlier, later in pairwise(firsts.values()):
        if earlier.machine_id == ack.machine_id:
            return later
    return None


def _longest_gaps(log: Log) -> list[float]:
    """Per player that was disconnected, the longest wait for an acknowledgement across a disconnect."""
    longest: defaultdict[str, float] = defaultdict(float)
    last_session: dict[str, int] = {}
    for ack in log.acks:
        if last_session.setdefault(ack.player, ack.session) != ack.session:
            longest[ack.player] = max(longest[ack.player], ack.acked - ack.wanted)
        last_session[ack.player] = ack.session
    for wait in log.unacked:
        # Still waiting at the end: so long at least. Leaving them out would flatter the result.
        longest[wait.player] = max(longest[wait.player], log.stopped - wait.wanted)
    return list(longest.values())


def _summarise(gaps: Sequence[float]) -> Gap:
    if not gaps:
        return Gap(0, None, None, None)
    if len(gaps) == 1:
        return Gap(1, gaps[0], gaps[0], gaps[0])
    percentiles = statistics.quantiles(gaps, n=100, method="inclusive")
    return Gap(len(gaps), percentiles[49], percentiles[98], max(gaps))
