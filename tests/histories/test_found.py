"""What random histories have found, as short as it could be made: each broke a promise once."""

from __future__ import annotations

import pytest

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending, Outcome
from tests.histories.play import play
from tests.histories.steps import Break, Calls, Cutover, Pass, Script, Start


@pytest.mark.parametrize("cutover", ["handoff", "overlap"])
@pytest.mark.parametrize("seed", range(6))
def test_of_two_first_deploys_at_once_one_wins(seed: int, cutover: Cutover) -> None:
    """Who lost the race for the first machine went on when the winner was done, and destroyed what served."""
    both = (Start(0, "v1"), Start(1, "v1"), Pass(60.0))
    first, second, *_ = play(Script(seed, "stop", cutover, last="v1", steps=both)).runs
    endings = {run.ended.ending for run in (first, second) if isinstance(run.ended, Outcome)}
    assert endings == {Ending.DEPLOYED, Ending.TAKEN_OVER}


def test_an_app_that_cannot_be_asked_for_before_a_destroy_is_a_refusal() -> None:
    """It was a traceback: after two 404s the app is asked for again, and that question was refused."""
    deployed = (Start(0, "v1"), Pass(30.0))
    refused = (Start(0, "destroy"), Break(0, "404", calls=1, times=2), Break(0, "403", calls=3), Calls(0, 4))
    run = play(Script(1, "stop", "handoff", last="destroy", steps=(*deployed, *refused, Pass(60.0)))).runs[1]
    assert isinstance(run.ended, CannotLook)
    assert "403" in str(run.ended)
