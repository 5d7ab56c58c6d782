"""What players saw, as plain records.

Fields ending in `_at` are epoch seconds, for timelines; other times are `time.monotonic()` seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """One acknowledged edit.

    `wanted` is when the player wanted to make it, `sent` when it was last sent; `attempts` counts the sends.
    `session` counts the player's connections from 1.
    """

    player: str
    room: str
    edit: str
    place: int
    machine_id: str
    release: str
    version: str
    session: int
    attempts: int
    wanted: float
    sent: float
    acked: float
    sent_at: float
    acked_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One connection of a player, from greeting to close; `code` is 1000 when the player left by itself."""

    player: str
    room: str
    session: int
    machine_id: str
    version: str
    opened_at: float
    closed_at: float
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """An edit that was wanted and never acknowledged: nobody promised to keep it."""

    player: str
    room: str
    edit: str
    wanted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The players now: sockets open, edits acknowledged, edits waiting, connections after the first."""

    connected: int
    acked: int
    unacked: int
    reconnects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Everything until `stopped`, acknowledgements in the order in which they came."""

    acks: Sequence[Ack]
    sessions: Sequence[Session]
    unacked: Sequence[Wait]
    stopped: float

    def to_json(self) -> dict[str, object]:
        """As plain JSON values, field by field."""
        return asdict(self)
