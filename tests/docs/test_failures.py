"""The page of endings: each ending that a run can come to has a row, and the command there is the one that it told."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending, Outcome
from tests.bluegreen.virtual import Kit
from tests.faults import scenario
from tests.faults.calls import FIRST_LOOK, Call
from tests.faults.network import FAULTS, Network, Strike
from tests.faults.scenario import BACK, DESTROY, STOP, World, play
from tests.histories import play as histories
from tests.histories.steps import Calls, Pass, Resume, Script, Start, Step, Suspend

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"
ROW = re.compile(r"^\| (?P<ending>[^|]+?) \|.*\| (?P<command>[^|]*?) ?\|$", re.MULTILINE)
OF_A_DESTROY = ", a destroy"
"""What a row's ending says beside its name where it is about one goal alone."""


def struck(world: World, call: Call, fault: str) -> Outcome:
    """How a run ends that meets a fault for ever."""
    ended: list[Outcome] = []
    met = next(one for one in FAULTS if one.short == fault)

    async def script(kit: Kit) -> None:
        kit.http = Network(kit.http, kit, Strike(call, met, for_ever=True))
        ended.append(await kit.deploy(world.wanted, goal=world.goal))

    play(world, script)
    return ended[0]


def overtaken(*steps: Step) -> Outcome:
    """How a run ends that another one has been quicker than."""
    runs = histories.play(Script(1, "stop", "handoff", last="v1", steps=(*steps, Pass(100.0)))).runs
    ended = (run.ended for run in runs if isinstance(run.ended, Outcome))
    return next(outcome for outcome in ended if outcome.ending is Ending.TAKEN_OVER)


AT_ONCE = (Start(0, "v1"), Start(1, "v1"))
ASLEEP = (Start(0, "v1"), Pass(30.0), Start(0, "destroy"), Calls(0, 17), Suspend(0))
AWAKE = (Start(1, "v1"), Pass(100.0), Resume(0))
NEVER = Call(FIRST_LOOK, "GET", "app", 99)
"""A call that is not made: nothing goes wrong."""
EXIT = Call(Phase.DRAIN_OLD, "GET", "g1-ams-1", 1)
CORDON = Call(Phase.DRAIN_OLD, "POST", "g1-ams-1/cordon", 1)
REMOVAL = Call(Phase.RETIRE_OLD, "DELETE", "g1-ams-1", 1)
APPROVED = scenario.World("approval", STOP.before, STOP.wanted.model_copy(update={"approval": "manual"}))

FAILED: dict[tuple[Ending, str], Callable[[], Outcome]] = {
    (Ending.AWAITING_APPROVAL, "deploy"): lambda: struck(APPROVED, NEVER, "500"),
    (Ending.ABORTED, "deploy"): lambda: struck(STOP, CORDON, "403"),
    (Ending.ABORTED, "destroy"): lambda: struck(DESTROY, CORDON, "403"),
    (Ending.ROLLED_BACK, "deploy"): lambda: struck(BACK, NEVER, "500"),
    (Ending.UNFINISHED, "deploy"): lambda: struck(STOP, REMOVAL, "403"),
    (Ending.UNFINISHED, "destroy"): lambda: struck(DESTROY, REMOVAL, "403"),
    (Ending.TAKEN_OVER, "deploy"): lambda: overtaken(*AT_ONCE),
    (Ending.TAKEN_OVER, "destroy"): lambda: overtaken(*ASLEEP, *AWAKE),
    (Ending.UNKNOWN, "deploy"): lambda: struck(STOP, EXIT, "500"),
    (Ending.UNKNOWN, "destroy"): lambda: struck(DESTROY, EXIT, "500"),
}
"""How each ending that has a next command comes about, for each of Pulumi's goals that can end so."""


@cache
def rows() -> dict[str, str]:
    """The command of each row, by its ending."""
    return {found["ending"]: found["command"] for found in ROW.finditer(PAGE.read_text(encoding="utf-8"))}


def row_of(ending: Ending, goal: str) -> str:
    """The row of this goal alone, else the one of all goals."""
    own = f"{ending}{OF_A_DESTROY}"
    return own if goal == "destroy" and own in rows() else str(ending)


@pytest.mark.parametrize(("ending", "goal"), FAILED)
def test_the_command_of_an_ending_s_row_is_the_one_that_it_tells(ending: Ending, goal: str) -> None:
    """Who reads the page runs what the run's own last line says."""
    outcome = FAILED[ending, goal]()
    assert outcome.ending is ending, outcome.failure
    assert f"`{outcome.next_command}`" in rows()[row_of(ending, goal)]


def test_every_ending_has_a_row_and_every_failure_is_played() -> None:
    """An ending that is new has to be explained; a row's name is an ending's."""
    assert {str(ending) for ending in Ending} <= rows().keys()
    played = {ending for ending, _ in FAILED}
    assert played == set(Ending) - {Ending.DEPLOYED, Ending.UNCHANGED, Ending.DESTROYED}
