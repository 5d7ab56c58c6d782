"""The rooms as they are after the deploy, asked over HTTP like any player would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx
import stamina


class RoomsUnread(Exception):
    """A room did not answer in time: what it holds is not known, which is not the same as empty."""


async def read_rooms(
    url: str, host: str, rooms: Iterable[str], *, within: float = 30.0
) -> dict[str, list[str]]:
    """Per room the ids of its edits, in order; RoomsUnread when one has not answered `within` seconds."""
    async with httpx.AsyncClient(
        base_url=url, headers={"host": host}, trust_env=False, timeout=httpx.Timeout(10.0)
    ) as client:
        names = list(rooms)
        contents = await asyncio.gather(*(_read_room(client, name, within) for name in names))
    return dict(zip(names, contents, strict=True))


async def _read_room(client: httpx.AsyncClient, room: str, within: float) -> list[str]:
    try:
        async for attempt in stamina.retry_context(
            on=httpx.HTTPError, attempts=None, timeout=within, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1
        ):
            with attempt:
                answer = (await client.get(f"/rooms/{room}")).raise_for_status()
    except httpx.HTTPError as error:
        raise RoomsUnread(f"{room}: {error}") from error
    return [edit["edit"] for edit in answer.json()["edits"]]
