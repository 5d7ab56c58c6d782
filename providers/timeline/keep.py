"""Keeping a timeline, and finding it again."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from providers.timeline.model import Timeline
from providers.timeline.names import Entry, entry_of, name_of
from providers.timeline.shelves import Shelf, ShelfError


async def keep(timeline: Timeline, shelves: Sequence[Shelf]) -> str:
    """Keep it in the first place that takes it; gives place and name. Raises ``ShelfError`` with all reasons."""
    refused: list[str] = []
    name, body = name_of(timeline), timeline.model_dump_json().encode()
    for shelf in shelves:
        try:
            await shelf.create(name, body)
        except ShelfError as error:
            refused.append(str(error))
        else:
            return f"{shelf.where}{name}"
    raise ShelfError("; ".join(refused))


async def history(shelf: Shelf, most: int) -> list[Entry]:
    """The latest deployments, newest first, at the price of one list. Raises ``ShelfError``."""
    entries = [entry for name in await shelf.names() if (entry := entry_of(name))]
    return sorted(entries, reverse=True)[:most]


async def read(shelf: Shelf, name: str) -> Timeline:
    """Raises ``ShelfError``, also for what is no timeline of a version that is known here."""
    body = await shelf.read(name)
    try:
        return Timeline.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ShelfError(f"{shelf.where}{name} is no timeline: {where}: {first['msg']}") from None
