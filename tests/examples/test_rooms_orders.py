"""Orders that come while something else is under way: which real processes leave to chance."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.examples.memory_machine import MemoryMachine, owned_by_blue


@pytest.fixture
def blue() -> MemoryMachine:
    """A machine of the release that owns the state."""
    return MemoryMachine(owned_by_blue())


@pytest.mark.anyio
async def test_a_resume_in_the_middle_of_a_save_leaves_no_manifest(blue: MemoryMachine) -> None:
    """A drain that was taken back before all was saved is never answered, and what comes later is saved later."""

    def resume_and_edit(key: str) -> None:
        if key.startswith("rooms/") and blue.orders.current:
            blue.bucket.on_write = lambda key: None
            assert blue.orders.resume()

    async with blue.running():
        await blue.edit("lobby", "e1")
        blue.bucket.on_write = resume_and_edit
        blue.orders.drain("d1")
        await blue.reach(lambda: blue.orders.current is None)
        assert await blue.edit("lobby", "e2")
        assert blue.orders.state == "serving"
        assert not [key for key in blue.bucket.objects if key.startswith("manifests/")]
    assert blue.manifest["drain"] is None
    assert blue.bucket.edits("lobby") == ["e1", "e2"]


@pytest.mark.anyio
async def test_a_resume_and_a_drain_within_one_save_leave_nothing_out(blue: MemoryMachine) -> None:
    """The second drain's manifest names the edit that was made between the two, although one save was under way."""

    def resume_edit_drain(key: str) -> None:
        if key.startswith("rooms/") and blue.orders.current:
            blue.bucket.on_write = lambda key: None
            assert blue.orders.resume()
            assert blue.fence is not None
            blue.fence.number = 1  # as if it had been looked up meanwhile
            assert blue.edit_at_once("lobby", "between")
            blue.orders.drain("d2")

    async with blue.running():
        await blue.edit("lobby", "e1")
        blue.bucket.on_write = resume_edit_drain
        blue.orders.drain("d1")
        await blue.reach(lambda: blue.orders.saved)
        assert blue.manifest["drain"] == "d2"
        assert blue.manifest["counts"] == {"rooms": 1, "edits": 2}
        assert blue.bucket.edits("lobby") == ["e1", "between"]


@pytest.mark.anyio
async def test_a_manifest_answers_the_drain_that_it_was_begun_for(blue: MemoryMachine) -> None:
    """One that is on its way when the drain is taken back and asked for again does not pass for the second's."""
    drained: list[str] = []

    def drain_again(key: str) -> None:
        if key.startswith("manifests/"):
            drained.append(blue.orders.state)
            blue.bucket.on_write = lambda key: None
            blue.orders.resume()
            blue.orders.drain("d1")

    async with blue.running():
        blue.bucket.on_write = drain_again
        blue.orders.drain("d1")
        await blue.reach(lambda: blue.orders.saved)
        manifests = [asked for asked in blue.bucket.asked if asked.startswith("PUT manifests/")]
    assert drained == ["draining"]
    assert len(manifests) == 2


@pytest.mark.anyio
async def test_a_repeated_drain_is_the_same_drain(blue: MemoryMachine) -> None:
    """The same id again writes nothing; another id gets a manifest of its own, and so does every signal."""

    async def drained(ask: Callable[[], None]) -> str | None:
        ask()
        await blue.reach(lambda: blue.orders.saved)
        told: str | None = blue.manifest["drain"]
        return told

    def manifests() -> int:
        return len([asked for asked in blue.bucket.asked if asked.startswith("PUT manifests/")])

    async with blue.running():
        for ask, answer, written in (
            (lambda: blue.orders.drain("d1"), "d1", 1),
            (lambda: blue.orders.drain("d1"), "d1", 1),
            (lambda: blue.orders.drain("d2"), "d2", 2),
            (lambda: blue.orders.drain(None, anew=True), None, 3),
            (lambda: blue.orders.drain(None, anew=True), None, 4),
        ):
            assert await drained(ask) == answer
            assert manifests() == written
    assert manifests() == 4  # stopped while saved: nothing is written again


@pytest.mark.anyio
async def test_a_stop_cannot_be_taken_back(blue: MemoryMachine) -> None:
    """Once stopped, a resume is refused, and no edit is taken any more."""
    async with blue.running():
        blue.orders.stop()
        assert not blue.orders.resume()
        assert not await blue.edit("lobby", "late")
