"""What Pulumi's state says after a failure, by ending."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from providers import outputs
from providers.bluegreen.model import Cluster, Phase, Release
from providers.bluegreen.outcome import Ending, Failure, Outcome
from tests.bluegreen.worlds import serving, spec

NEW = spec(image="registry.fly.io/rooms:v2")
OLDS: dict[str, Any] = {
    "image": "v1",
    "phase": "serving",
    "generation": 1,
    "release": "1-old",
    "app_created": True,
}
NEWS: dict[str, Any] = {"image": "v2"}
GREEN = Release(2, NEW.digest)
BLUE = Cluster(Release(1, "old"), serving(spec(), 1))
FAILED = Failure(Phase.RETIRE_OLD, "destroy (others)", ("a host does not answer",))


def reached(outcome: Outcome, olds: dict[str, Any] = OLDS) -> dict[str, Any] | None:
    return outputs.of_failure(NEW, outcome, olds, NEWS, {"KEY": SecretStr("blue's")})


def test_unfinished_is_the_new_release_with_what_a_rollback_would_need() -> None:
    """Its inputs, its name although none of it is routed, the phase it stands in, and blue's own secrets."""
    told = reached(Outcome(Ending.UNFINISHED, None, owner=GREEN, failure=FAILED))
    assert told
    assert (told["image"], told["release"], told["generation"]) == ("v2", str(GREEN), 2)
    assert (told["phase"], told["app_created"]) == ("retire-old", True)
    assert outputs.blue_secrets_of(told) == {"KEY": SecretStr("blue's")}


@pytest.mark.parametrize("ending", [Ending.ROLLED_BACK, Ending.UNFINISHED])
def test_where_the_release_before_owns_the_state_its_inputs_stay(ending: Ending) -> None:
    """A finished rollback, and one that has passed its own commit point."""
    told = reached(Outcome(ending, BLUE, owner=BLUE.release, failure=FAILED))
    assert told
    assert (told["image"], told["phase"], told["release"]) == ("v1", str(ending), "1-old")
    assert sorted(told["serving"]["machine_ids"]) == ["1ams1", "1iad1"]


@pytest.mark.parametrize("ending", [Ending.UNKNOWN, Ending.TAKEN_OVER])
def test_what_could_not_be_told_leaves_all_but_the_phase(ending: Ending) -> None:
    """The next run needs to know what was there before: blue's secrets are found by it."""
    assert reached(Outcome(ending, None, failure=FAILED)) == {**OLDS, "phase": str(ending)}


def test_an_abort_has_changed_nothing() -> None:
    """Nor has a first deploy that left nothing; one that kept its green is there to be destroyed."""
    aborted = Outcome(Ending.ABORTED, None, failure=FAILED, left=2)
    assert reached(aborted) is None
    assert reached(replace(aborted, left=0), {}) is None
    kept = reached(aborted, {})
    assert kept
    assert (kept["image"], kept["phase"]) == ("v2", "retire-old")


def test_a_first_deploy_records_what_may_be_there_and_nothing_of_another_ones() -> None:
    """Unknown may be anything; what another run, or a release that this state never knew, serves is not ours."""
    unknown = reached(Outcome(Ending.UNKNOWN, None, failure=FAILED), {})
    assert unknown
    assert (unknown["image"], unknown["phase"]) == ("v2", "unknown")
    assert reached(Outcome(Ending.TAKEN_OVER, None, failure=FAILED), {}) is None
    assert reached(Outcome(Ending.ROLLED_BACK, BLUE, owner=BLUE.release, failure=FAILED), {}) is None
