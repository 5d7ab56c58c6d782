"""Which faults have a column of their own: those that a deployment can tell apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from providers.fly import FlyError, Machines
from tests.faults.calls import KINDS, Kind
from tests.faults.network import FAULTS, Fault
from tests.fly.answers import MACHINE, ask, ok

CALLS: dict[Kind, Callable[[Machines], Awaitable[Any]]] = {
    "read": lambda machines: machines.get(MACHINE["id"]),
    "wait": lambda machines: machines.wait(MACHINE["id"], ["stopped"]),
    "write": lambda machines: machines.create(
        name="a", region="ams", config={}, skip_service_registration=True
    ),
}
LEFT_OUT = [(fault, kind) for fault in FAULTS for kind in KINDS if kind not in fault.of]
LONG_S = 60.0
Seen = tuple[type[FlyError] | None, bool]


def seen(fault: Fault, kind: Kind) -> Seen:
    """What a deployment gets to know: the client's error, ``None`` for an answer that is taken for a good one, or for
    one that is asked for again without end; and what became of the call. Nothing becomes of one that only looks.
    """

    def answer(request: httpx.Request) -> httpx.Response:
        return fault.answer(request, ok())

    async def question(machines: Machines) -> type[FlyError] | None:
        with anyio.move_on_after(LONG_S):
            try:
                await CALLS[kind](machines)
            except FlyError as error:
                return type(error)
        return None

    return ask(answer, question), fault.applied and kind == "write"


@pytest.mark.parametrize(("fault", "kind"), LEFT_OUT, ids=lambda one: getattr(one, "short", one))
def test_a_fault_without_a_cell_is_seen_as_one_that_has_it(fault: Fault, kind: Kind) -> None:
    """The deployment cannot tell them apart: what is played for one says it of the other."""
    assert any(kind in other.of and seen(other, kind) == seen(fault, kind) for other in FAULTS)


def test_a_fault_with_a_column_is_told_apart_from_a_500() -> None:
    """The negative control: left out, nothing would stand for it."""
    failed, *others = (
        fault for fault in FAULTS if "wait" in fault.of and fault.short not in ("cut+", "tim+")
    )
    assert all(seen(other, "wait") != seen(failed, "wait") for other in others)
