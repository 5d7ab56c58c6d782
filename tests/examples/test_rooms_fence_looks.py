"""How a machine finds out who owns the state, and what becomes of its memory."""

from __future__ import annotations

import asyncio

import anyio.lowlevel
import pytest

from examples.rooms.store import StoreError
from tests.examples.memory_machine import BLUE, GREEN, MemoryMachine, owned_by_blue


@pytest.fixture
def blue() -> MemoryMachine:
    """A machine of the release that owns the state."""
    return MemoryMachine(owned_by_blue())


@pytest.mark.anyio
async def test_everybody_who_asks_shares_one_look(blue: MemoryMachine) -> None:
    """Fifty players at once cost one look at the owners, and later ones none."""
    async with asyncio.TaskGroup() as players:
        for number in range(50):
            players.create_task(blue.edit(f"room-{number % 5}", f"e{number}"))
    assert blue.bucket.asked.count("LIST owners/0") == 1
    assert len(blue.acked) == 50


@pytest.mark.anyio
async def test_the_first_player_after_the_switch_waits_for_few_answers() -> None:
    """The owner is looked up once a machine; then a room costs one claim, one listing and one reading."""
    bucket = owned_by_blue()
    blue, green = MemoryMachine(bucket, BLUE), MemoryMachine(bucket, GREEN)
    async with blue.running():
        for room in ("lobby", "attic"):
            await blue.edit(room, f"{room}-1")
    bucket.hand_over(2, GREEN)
    bucket.asked.clear()
    assert await green.edit("lobby", "e1")
    assert bucket.asked == [
        "LIST owners/0",
        "GET owners/0000000002.json",
        "PUT claims/2-green/lobby.json",
        "LIST rooms/lobby/",
        "GET rooms/lobby/0000000001-0000000001.json",
    ]
    bucket.asked.clear()
    assert await green.edit("attic", "e2")
    assert [asked.split()[0] for asked in bucket.asked] == ["PUT", "LIST", "GET"]


@pytest.mark.anyio
async def test_a_refusal_stands_for_a_moment() -> None:
    """Players who hammer at a release that does not own the state do not hammer at S3."""
    bucket = owned_by_blue()
    green = MemoryMachine(bucket, GREEN)
    for _ in range(50):
        assert not await green.edit("lobby", "early")
    assert bucket.asked.count("LIST owners/0") == 1
    assert not [key for key in bucket.objects if key.startswith(("claims/", "rooms/"))]


@pytest.mark.anyio
async def test_an_owner_that_was_looked_up_before_the_resume_does_not_count(blue: MemoryMachine) -> None:
    """A look that was under way when the machine was resumed is not taken for the new one."""
    assert blue.fence is not None
    looking = asyncio.create_task(blue.fence.hold())
    await anyio.lowlevel.checkpoint()
    blue.orders.drain("d1")
    blue.orders.resume()
    with pytest.raises(StoreError, match="anew"):
        await looking
    assert blue.fence.number is None
    assert await blue.fence.hold() == 1


@pytest.mark.anyio
async def test_memory_stays_right_when_nobody_wrote_in_between(blue: MemoryMachine) -> None:
    """The state was green's for a while, and green changed nothing: blue goes on with what it has in memory."""
    async with blue.running():
        await blue.edit("lobby", "e1")
        blue.orders.drain("d1")
        await blue.reach(lambda: blue.orders.saved)
        blue.bucket.hand_over(2, GREEN)
        blue.bucket.hand_over(3, BLUE)
        room = blue.rooms.owned["lobby"]
        blue.orders.resume()
        assert await blue.edit("lobby", "e2")
        assert blue.rooms.owned["lobby"] is room
    assert blue.bucket.edits("lobby") == ["e1", "e2"]
    assert max(blue.bucket.keys("rooms/lobby/")).startswith("rooms/lobby/0000000003-")


@pytest.mark.anyio
async def test_memory_that_another_owner_has_gone_on_with_is_dropped(blue: MemoryMachine) -> None:
    """Green edited while the state was its own: blue, resumed as its owner again, goes on with green's edits."""
    green = MemoryMachine(blue.bucket, GREEN)
    async with blue.running():
        await blue.edit("lobby", "blue-1")
        await blue.edit("attic", "blue-2")
        blue.orders.drain("d1")
        await blue.reach(lambda: blue.orders.saved)
        blue.bucket.hand_over(2, GREEN)
        async with green.running():
            assert await green.edit("lobby", "green-1")
        blue.bucket.hand_over(3, BLUE)
        attic = blue.rooms.owned["attic"]
        blue.orders.resume()
        assert await blue.edit("lobby", "blue-3")
        assert await blue.edit("attic", "blue-4")
        assert blue.rooms.owned["attic"] is attic
    assert blue.bucket.edits("lobby") == ["blue-1", "green-1", "blue-3"]
    assert blue.bucket.edits("attic") == ["blue-2", "blue-4"]


@pytest.mark.anyio
async def test_a_room_of_a_later_owner_is_not_opened(blue: MemoryMachine) -> None:
    """State that a higher owner has written tells a machine that it owns nothing any more, whatever it remembers."""
    assert await blue.edit("attic", "e1")
    term = blue.app.term
    blue.bucket.hand_over(2, GREEN)
    green = MemoryMachine(blue.bucket, GREEN)
    async with green.running():
        assert await green.edit("lobby", "green-1")
    assert not await blue.edit("lobby", "blue-1")
    assert term is not None
    assert term.over
    assert blue.rooms.held("attic") is None


@pytest.mark.anyio
async def test_an_added_machine_opens_no_room_before_it_is_let_in() -> None:
    """Its release owns the state already; but a room that it claims would be left without an owner if it is removed."""
    bucket = owned_by_blue()
    added = MemoryMachine(bucket, BLUE, added=True)
    assert not await added.edit("lobby", "early")
    assert not [key for key in bucket.objects if key.startswith(("claims/", "rooms/"))]
    bucket.objects[f"added/{BLUE}/{BLUE}.json"] = b"{}"
    added.rooms.doubt()
    assert await added.edit("lobby", "in")
    bucket.asked.clear()
    added.rooms.doubt()
    assert await added.edit("lobby", "and again")
    assert not [asked for asked in bucket.asked if "added/" in asked]
