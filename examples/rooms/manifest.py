"""The last thing a drained or stopped machine writes: what it saved, so that a deploy can check it object by object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from examples.rooms.room import Room
from examples.rooms.settings import Settings


def describe_saved(
    settings: Settings, rooms: Iterable[Room], saved_at: float, drain: str | None
) -> dict[str, object]:
    """The manifest of the rooms that S3 holds (empty ones are never written).

    `saved_at`: epoch seconds. `drain`: the id of the request that it answers, None for a signal.
    """
    kept = [(room, room.saved) for room in rooms if room.saved]
    return {
        "version": 1,
        "release": settings.release,
        "machine_id": settings.machine_id,
        "instance_id": settings.instance_id,
        "started_at": settings.started_at,
        "saved_at": saved_at,
        "drain": drain,
        "objects": [asdict(saved) for _, saved in kept],
        "counts": {"rooms": len(kept), "edits": sum(room.saved_edits for room, _ in kept)},
    }
