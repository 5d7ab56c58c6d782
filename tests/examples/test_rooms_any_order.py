"""Drains, resumes, signals, edits and handovers in any order, over an S3 that takes its time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.rooms.fence import NotOwner
from examples.rooms.orders import Orders
from tests.examples.memory_machine import ALWAYS, BLUE, GREEN, RARELY, MemoryMachine, owned_by_blue

Step = Callable[[MemoryMachine], Awaitable[object]]


async def pause(machine: MemoryMachine) -> None:
    await anyio.lowlevel.checkpoint()


def edit_in(room: str) -> Step:
    return lambda machine: machine.edit(room, f"{machine.release}-{len(machine.acked)}")


def ordered(order: Callable[[Orders], object]) -> Step:
    async def step(machine: MemoryMachine) -> None:
        order(machine.orders)

    return step


steps = st.one_of(
    st.sampled_from([edit_in("lobby"), edit_in("attic")]),
    st.just(pause),
    st.sampled_from(
        [
            ordered(lambda orders: orders.drain("d1")),
            ordered(lambda orders: orders.drain("d2")),
            ordered(lambda orders: orders.drain(None, anew=True)),
            ordered(Orders.resume),
        ]
    ),
)
pauses = st.lists(st.integers(0, 4), max_size=20)


@settings(deadline=None)
@given(st.lists(steps, max_size=40), pauses, st.booleans(), st.sampled_from([RARELY, ALWAYS]))
def test_saved_means_that_every_acknowledged_edit_is_in_the_manifest(
    story: list[Step], taken: list[int], fenced: bool, checkpoints: float
) -> None:
    """Whatever the order of edits, drains, signals and resumes: where the status is saved, all of it is."""

    async def play() -> None:
        machine = MemoryMachine(owned_by_blue(), fenced=fenced, checkpoints=checkpoints, pauses=taken)
        async with machine.running():
            for step in story:
                await step(machine)
                check_if_saved(machine)
        check_if_saved(machine)
        assert machine.orders.saved

    asyncio.run(play())


def check_if_saved(machine: MemoryMachine) -> None:
    if not machine.orders.saved:
        return
    manifest, drain = machine.manifest, machine.orders.current
    assert drain is not None
    assert manifest["drain"] == drain.id
    named = {row["key"] for row in manifest["objects"]}
    counting = {
        max(machine.bucket.keys(f"rooms/{room}/"))
        for room in ("lobby", "attic")
        if machine.bucket.edits(room)
    }
    assert counting <= named
    assert sorted(machine.acked) == sorted(
        edit for room in ("lobby", "attic") for edit in machine.bucket.edits(room)
    )


@settings(deadline=None)
@given(st.lists(steps, max_size=20), st.lists(steps, max_size=20), pauses, pauses)
def test_a_handover_of_what_is_saved_loses_nothing(
    blues: list[Step], greens: list[Step], slow: list[int], quick: list[int]
) -> None:
    """Drain, wait for saved, record the next owner, and only then stop: every acknowledged edit of both is there."""

    async def play() -> None:
        bucket = owned_by_blue()
        blue = MemoryMachine(bucket, BLUE, checkpoints=ALWAYS, pauses=slow)
        green = MemoryMachine(bucket, GREEN, checkpoints=ALWAYS, pauses=quick)
        async with green.running(), blue.running():
            for step in blues:
                await step(blue)
            blue.orders.drain("handover")
            await blue.reach(lambda: blue.orders.saved)
            bucket.hand_over(2, GREEN)
            for step in greens:
                await step(green)
        assert sorted(blue.acked + green.acked) == sorted(bucket.edits("lobby") + bucket.edits("attic"))

    asyncio.run(play())


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), steps), max_size=40), st.integers(0, 40), pauses, pauses)
def test_no_late_write_of_blue_touches_what_green_acknowledged(
    story: list[tuple[bool, Step]], handed_over: int, slow: list[int], quick: list[int]
) -> None:
    """Even when green is made the owner at any moment, blue undrained: every edit that green acknowledged stays."""

    async def play() -> None:
        bucket = owned_by_blue()
        blue = MemoryMachine(bucket, BLUE, checkpoints=ALWAYS, pauses=slow)
        green = MemoryMachine(bucket, GREEN, checkpoints=ALWAYS, pauses=quick)
        with contextlib.suppress(NotOwner):
            async with blue.running(), green.running():
                for number, (greens, step) in enumerate(story):
                    if number == handed_over:
                        bucket.hand_over(2, GREEN)
                    await step(green if greens else blue)
                bucket.hand_over(2, GREEN)
        saved = bucket.edits("lobby") + bucket.edits("attic")
        assert [edit for edit in green.acked if edit not in saved] == []

    asyncio.run(play())
