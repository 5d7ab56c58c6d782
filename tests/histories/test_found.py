"""What random histories have found, as short as it could be made: each broke a promise once."""

from __future__ import annotations

import pytest

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending, Outcome
from tests.histories.play import play
from tests.histories.steps import (
    Boots,
    Break,
    Calls,
    Cutover,
    Hand,
    Host,
    Kill,
    Pass,
    Script,
    Start,
    Store,
    Suspend,
)


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


def test_a_rate_limit_does_not_make_a_machine_unreachable() -> None:
    """Two runs that ask for the same lease use up its rate together; one of them took that for a host that is gone, and
    went on without the lease that the other had.
    """
    begun = (Start(1, "v3"), Calls(1, 1), Calls(1, 1), Break(1, "redirect", calls=2, times=30))
    asked = (Host("unreachable", 2), Calls(1, 2), Hand("clone"), Calls(1, 2), Start(0, "v2"), Calls(1, 1))
    contested = (Start(0, "destroy"), Calls(1, 3), Calls(0, 3), Calls(0, 2), Suspend(1))
    late = (Break(0, "408 applied", calls=6), Calls(1, 3), Calls(1, 1))
    play(Script(1401, "request", "handoff", last="v1", steps=(*begun, *asked, *contested, *late)))


def test_a_machine_whose_lease_was_refused_is_held() -> None:
    """Its host did not answer, and then nobody did: the run that could not ask who holds it went on beside that one."""
    first = (
        Start(0, "v1"),
        Calls(0, 3),
        Calls(1, 2),
        Calls(0, 2),
        Host("unreachable", 0),
        Store("loses request"),
    )
    killed = (Kill(0, 5), Calls(1, 2), Calls(1, 1), Start(0, "v3"), Calls(1, 1), Calls(1, 3), Calls(0, 1))
    again = (Calls(1, 1), Kill(1, 4), Calls(1, 3), Pass(3.0), Start(0, "v1"), Calls(1, 3), Start(0, "v2"))
    beside = (
        Calls(1, 3),
        Break(1, "read timeout applied", 3, 30),
        Calls(1, 1),
        Break(0, "500 applied", 1, 5),
    )
    steps = (*first, *killed, *again, *beside, Calls(0, 3))
    play(Script(19748, "stop", "handoff", last="v1", steps=steps))


def test_who_finds_no_machine_in_a_gap_between_two_releases_does_not_deploy_beside_the_other_run() -> None:
    """Both had waited for a dead run's leases; one destroyed what that had left, so the other saw a first deploy, and
    counted from generation 1: its first machine had another name than the one that was the lock.
    """
    dead = (Boots("crash"), Start(0, "v3"), Calls(1, 1), Kill(0, 4), Calls(1, 3), Calls(0, 2))
    both = (Start(0, "v3"), Start(1, "v2"), Pass(0.3), Calls(1, 3), Kill(0, 1), Calls(1, 1), Start(0, "v2"))
    on = (
        Calls(1, 3),
        Kill(1, 4, applied=True),
        Calls(1, 1),
        Calls(0, 2),
        Calls(1, 3),
        Calls(0, 3),
        Calls(0, 1),
    )
    steps = (*dead, *both, *on, Start(0, "v2"), Pass(3.0))
    play(Script(441, "stop", "handoff", last="v2 env", steps=steps))


def test_an_app_that_was_said_to_be_absent_and_serves_is_no_aborted_first_deploy() -> None:
    """It claimed that nothing serves, because it had never read who owns the state."""
    begun = (
        Start(1, "v2 env"),
        Break(0, "refused", calls=6),
        Calls(0, 3),
        Start(1, "v2"),
        Break(0, "404", 2),
    )
    killed = (Pass(0.05), Calls(1, 1), Calls(1, 2), Calls(1, 1), Kill(1, 2), Calls(1, 3))
    blind = (Start(1, "v2 env"), Break(1, "404", calls=2), Pass(1.0))
    play(Script(207, "stop", "handoff", last="v1", steps=(*begun, *killed, *blind)))


def test_what_is_decided_is_decided_on_machines_that_are_leased() -> None:
    """While it waited for the leases of one cluster, another run removed that, and made a second one. Of this it saw
    the beginning, waited until it served, took its leases, and destroyed it as a leftover.
    """
    first = (
        Start(1, "v2 env"),
        Break(1, "403", 3, 2),
        Calls(1, 1),
        Start(1, "v2 env"),
        Calls(1, 5),
        Calls(0, 4),
        Calls(1, 2),
    )
    gone = (
        Pass(1.0),
        Start(1, "v3"),
        Pass(33.0),
        Hand("destroy", 1),
        Start(1, "destroy"),
        Calls(0, 3),
        Pass(30.0),
    )
    killed = (Boots("slow"), Start(1, "v3"), Pass(0.3), Calls(0, 6), Kill(0, 0))
    both = (Start(1, "v3"), Pass(0.3), Calls(0, 3), Start(0, "v2"), Pass(30.0))
    play(Script(48054, "stop", "handoff", last="v2 env", steps=(*first, *gone, *killed, *both)))


def test_what_is_kept_warm_stays_so_though_only_the_store_told_that_it_had_owned_the_state() -> None:
    """Its first deploy was killed between the commit and its record on the machines. The mark that it is kept was
    written with no number then, which no run reads: the next one destroyed it.
    """
    killed = (Store("creates unclear"), Start(1, "more v1"), Pass(0.05), Kill(0, 6, applied=True))
    played = play(Script(1734, "stop", "handoff", last="v2", steps=killed, extras=("bake", "warm")))
    last = {record["name"]: record["state"] for record in played.records if record["kind"] == "machine"}
    assert [last[f"rooms-g1-{name}"] for name in ("ams-1", "ams-2", "iad-1")] == ["stopped"] * 3


def test_a_first_deploy_that_was_begun_for_more_machines_is_begun_anew() -> None:
    """It went on with the one machine that there was; one that was never made was missed by the run after that, which
    rolled out again.
    """
    killed = (Start(1, "more v1"), Calls(1, 3), Kill(1, 0))
    played = play(Script(1887, "stop", "handoff", last="v1", steps=killed, extras=("bake", "warm")))
    made = {record["name"] for record in played.records if record["kind"] == "machine"}
    assert made == {"rooms-g1-ams-1", "rooms-g2-ams-1", "rooms-g2-iad-1"}
