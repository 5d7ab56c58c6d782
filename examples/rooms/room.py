"""A room and its edits, and how they look on disk and on the wire. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from zlib import crc32

from examples.rooms.keys import Stamp

COLOURS = ("crimson", "orange", "gold", "teal", "royalblue", "orchid")


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit; its id is the client's, so that a resent edit is recognised. `author` came with v2."""

    edit: str
    text: str
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """An object that S3 has confirmed: its full key, its ETag with the quotes, its size in bytes."""

    key: str
    etag: str
    bytes: int


@dataclass(slots=True)
class Room:
    """The edits of one room, in order; places count from 1.

    `stamp` is that of the last write that was tried, or found. `superseded` are keys that no longer count once this
    machine has saved the room; `predecessor` is the one that it was loaded from, which stays until the room has its
    next owner: it is what the last owner's manifest names.
    """

    name: str
    edits: list[Edit] = field(default_factory=list)
    saved: Saved | None = None
    saved_edits: int = 0
    stamp: Stamp = field(default_factory=Stamp)
    superseded: list[str] = field(default_factory=list)
    predecessor: str | None = None
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._places = {edit.edit: place for place, edit in enumerate(self.edits, start=1)}

    def take(self, edit: Edit) -> tuple[int, bool]:
        """Append the edit unless the room has it: its place, and whether it is new."""
        if known := self._places.get(edit.edit):
            return known, False
        self.edits.append(edit)
        self._places[edit.edit] = len(self.edits)
        return len(self.edits), True

    def note_saved(self, saved: Saved, edits: int) -> None:
        """S3 has confirmed an object with the first so many edits."""
        if self.saved and self.saved.key != self.predecessor:
            self.superseded.append(self.saved.key)
        self.saved, self.saved_edits = saved, edits

    def doubt_saved(self) -> None:
        """Take nothing for confirmed any more: the next save writes all of it again, under a new key."""
        self.saved_edits = 0

    @property
    def dirty(self) -> bool:
        """True when S3 has not confirmed all edits; edits are only ever added."""
        return self.saved_edits < len(self.edits)

    @property
    def rewritten(self) -> bool:
        """True once this machine has saved the room itself."""
        return self.saved is not None and self.saved.key != self.predecessor


def encode_state(room: str, edits: Iterable[Edit], state_format: int = 1) -> bytes:
    """The room as v1 and later versions keep it: readers ignore fields that they do not know."""
    rows = [_stored(edit) for edit in edits]
    state = {"version": state_format, "room": room, "edits": rows}
    return json.dumps(state, separators=(",", ":")).encode()


def decode_state(body: bytes, state_format: int = 1) -> list[Edit]:
    """Read `encode_state`'s bytes; ValueError when they are anything else (never an empty room instead)."""
    try:
        state = json.loads(body)
        if state["version"] != state_format:
            raise ValueError(f"format {str(state['version'])[:20]}, and this version reads {state_format}")
        return [Edit(row["edit"], row["text"], row.get("author")) for row in state["edits"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a room's state: {error!r}") from error


def _stored(edit: Edit) -> dict[str, str]:
    row = {"edit": edit.edit, "text": edit.text}
    return row if edit.author is None else row | {"author": edit.author}


def show(edit: Edit, *, authors: bool) -> dict[str, str]:
    """The edit as players see it: from v2 on with its author and the author's colour."""
    if not authors or edit.author is None:
        return {"edit": edit.edit, "text": edit.text}
    return _stored(edit) | {"colour": COLOURS[crc32(edit.author.encode()) % len(COLOURS)]}
