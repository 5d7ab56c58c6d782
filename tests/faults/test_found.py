"""Cells of the matrix that were broken once, each with what it is about."""

from __future__ import annotations

import pytest

from tests.faults.calls import FIRST_LOOK, Call
from tests.faults.network import FAULTS, Strike
from tests.faults.scenario import BOTH_ROUTED, DESTROY, STOP, World, strike

UNCORDON = Call("switch-routes", "POST", "g2-iad-1/uncordon", 1)


def meet(world: World, call: Call, fault: str, *, for_ever: bool = True) -> str:
    return strike(world, Strike(call, next(one for one in FAULTS if one.short == fault), for_ever))


@pytest.mark.parametrize("fault", ["500+", "408+", "rst+", "tim+", "cut+"])
def test_an_uncordon_that_is_never_answered_counts_once_it_shows(fault: str) -> None:
    """The ending claims every machine that is routed, also where all answers to its uncordon were lost."""
    assert meet(STOP, UNCORDON, fault) == "F/D"


@pytest.mark.parametrize("fault", ["404", "none"])
def test_a_destroy_is_believed_only_when_the_machine_is_gone(fault: str) -> None:
    """A 404, or a 200 that lies, leaves no machine behind a run that says deployed."""
    call = Call("retire-old", "DELETE", "g1-ams-1", 1)
    assert meet(STOP, call, fault, for_ever=False) == "D/U"


def test_an_app_that_is_said_to_be_absent_is_not_destroyed_while_its_machines_answer() -> None:
    """A 404 to the app alone, however often, does not end a destroy as done."""
    assert meet(DESTROY, Call(FIRST_LOOK, "GET", "app", 1), "404") == "-/X"


def test_a_stale_list_does_not_make_a_stopped_blue_serve() -> None:
    """A run that has taken blue away from users asks from outside before it says that blue serves."""
    assert meet(DESTROY, Call("drain-old", "GET", "machines", 1), "stal") == "?/X"


def test_a_green_that_is_given_up_under_overlap_is_cordoned_first() -> None:
    """Users whom the proxy still sends there while it learns are not sent to a machine that is gone."""
    assert meet(BOTH_ROUTED, UNCORDON, "403", for_ever=False) == "A/D"
