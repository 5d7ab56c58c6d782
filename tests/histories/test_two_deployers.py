"""Two deployers, in every interleaving of a small kind: the second one starts at a call of the first one's update.

Each kind with one way to drain: the random histories play all of them with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending, Outcome
from tests.figures import Figures
from tests.histories.deployer import Run
from tests.histories.play import Played, play
from tests.histories.steps import (
    Boots,
    Calls,
    Drain,
    Edit,
    Kill,
    Pass,
    Resume,
    Script,
    Start,
    Step,
    Suspend,
    Wants,
)

FIRST, SECOND = 0, 1
ENDS_S = 200.0
"""Behind every deadline of a run, and of the wait for a dead run's leases."""
SERVED = (Start(FIRST, "v1"), Pass(30.0), Edit(), Boots("slow"))
"""Slow machines make an update last long enough that its leases are renewed before it ends."""
OTHERS: tuple[Wants, ...] = ("v2", "v3", "destroy")
LATE: list[tuple[Wants, Wants]] = [
    ("v2", "v2"),
    ("v2", "v1"),
    ("v2", "destroy"),
    ("destroy", "v1"),
    ("destroy", "v3"),
]
"""What is begun, and what another one does meanwhile: the same, what was there before, another, or away with all."""
GONE = "if that is so, `pulumi refresh` will see it"
"""All was destroyed before the destroy fell asleep: its own state says so only at its end, and who comes is refused."""
by_stop = pytest.mark.parametrize("drain", ["stop"])
by_request = pytest.mark.parametrize("drain", ["request"])
beside_each = pytest.mark.parametrize("wants", OTHERS)


def history(drain: Drain, wants: Wants, *steps: Step) -> Played:
    return play(Script(seed=1, drain=drain, cutover="handoff", last=wants, steps=(*SERVED, *steps)))


@cache
def alone(drain: Drain, wants: Wants) -> list[tuple[str, str]]:
    """Method and action of each call of a run that nobody disturbs."""
    played = history(drain, wants, Start(FIRST, wants), Pass(ENDS_S))
    run = played.runs[1]
    done = [r for r in played.records if r["kind"] == "request" and r["by"] == FIRST and r["t"] >= run.began]
    assert len(done) >= run.process.calls
    return [(r["method"], r["action"]) for r in done[: run.process.calls]]


def each_call(drain: Drain, wants: Wants = "v2") -> list[int]:
    """The numbers of its calls. Of a poll the first and the last two: between them the run changes nothing."""
    kinds = [(call, 0 if call[0] == "GET" else number) for number, call in enumerate(alone(drain, wants))]
    middle = {n for n in range(2, len(kinds) - 2) if len({*kinds[n - 2 : n + 3]}) == 1}
    return [n + 1 for n in range(len(kinds)) if n not in middle]


def share(calls: list[int], among: Sequence[object], one: object) -> list[int]:
    """Its part of them: together they come to each. The random histories mix them otherwise."""
    return calls[among.index(one) :: len(among)]


def late_calls(drain: Drain, begun: Wants, wants: Wants) -> list[int]:
    """Where a run falls asleep: at each call since it touches what serves, and before that at its share of them.

    Less is at stake as long as it only builds and verifies: not every rival comes at each of those calls. The random
    histories mix them otherwise.
    """
    calls, touches = each_call(drain, begun), ("set_metadata_key", "cordon")
    first = next(n for n, (_, action) in enumerate(alone(drain, begun), start=1) if action in touches)
    rivals = [pair for pair in LATE if pair[0] == begun]
    building = share([call for call in calls if call < first - 1], rivals, (begun, wants))
    return building + [call for call in calls if call >= first - 1]


def told(run: Run) -> str:
    """What it said at its end to who has started it."""
    if isinstance(run.ended, CannotLook):
        return str(run.ended)
    assert isinstance(run.ended, Outcome), "it has not ended by itself"
    return " ".join(run.ended.failure.reasons) if run.ended.failure else ""


def won(run: Run) -> bool:
    return isinstance(run.ended, Outcome) and run.ended.succeeded


def leased(played: Played, run: Run, until: float) -> bool:
    """Whether it had taken a lease before (epoch seconds)."""
    done = (r for r in played.records if r["kind"] == "request" and r["by"] == run.who)
    taken = (r for r in done if r["path"].endswith("/lease") and r["status"] < 300)
    return any(run.began <= r["t"] <= until for r in taken)


def writes(played: Played, run: Run, behind: int = 0) -> list[str]:
    """What it has changed behind that record."""
    began = (r for r in played.records[behind:] if r["t"] >= run.began)
    done = (r for r in began if r["kind"] == "request" and r["by"] == run.who)
    changes = (r for r in done if r["method"] != "GET" and r["status"] < 400)
    return [f"{r['method']} {r['path']}" for r in changes if not r["path"].endswith("/lease")]


@by_stop
@beside_each
def test_of_two_living_deployers_one_wins_and_the_other_names_it(
    drain: Drain, wants: Wants, figures: Figures
) -> None:
    """Whoever comes too late changes nothing and says who deploys, and since when; or comes when the first is done."""
    refused = 0
    calls = share(each_call(drain), OTHERS, wants)
    for at in calls:
        played = history(
            drain, wants, Start(FIRST, "v2"), Calls(FIRST, at), Edit(), Start(SECOND, wants), Pass(ENDS_S)
        )
        first, second = played.runs[1:3]
        assert won(first) or won(second), f"at call {at}: {told(first)}; {told(second)}"
        for loser, winner in ((first, second), (second, first)):
            if not won(loser):
                refused += 1
                assert str(winner.holder) in told(loser), f"at call {at}: {told(loser)}"
                assert writes(played, loser) == [], f"at call {at}"
    assert refused
    figures.add(interleavings_of_two_living_deployers=len(calls))


@by_request
@beside_each
def test_a_dead_deployer_is_taken_over_within_its_leases(
    drain: Drain, wants: Wants, figures: Figures
) -> None:
    """Killed behind any call: the next run waits until the leases have run out, and succeeds."""
    calls = share(each_call(drain), OTHERS, wants)
    for at in calls:
        killed = (Start(FIRST, "v2"), Kill(FIRST, at, applied=True), Pass(0.05), Edit(), Calls(FIRST, at))
        played = history(drain, wants, *killed, Start(SECOND, wants), Pass(ENDS_S))
        assert played.runs[1].ended is None
        assert won(played.runs[2]), f"killed at call {at}: {told(played.runs[2])}"
    figures.add(takeovers_of_killed_runs=len(calls))


@pytest.mark.long
@by_request
@pytest.mark.parametrize(("begun", "wants"), LATE)
def test_a_deployer_that_wakes_up_too_late_changes_nothing(
    drain: Drain, begun: Wants, wants: Wants, figures: Figures
) -> None:
    """Suspended at any call from its leases on, until another one is done: what it was about to do is not done."""
    late = 0
    for at in late_calls(drain, begun, wants):
        asleep = (Start(FIRST, begun), Calls(FIRST, at), Suspend(FIRST), Edit())
        beside = (Boots("well"), Start(SECOND, wants), Pass(ENDS_S), Resume(FIRST), Pass(ENDS_S))
        played = history(drain, wants, *asleep, *beside)
        first, second = played.runs[1:3]
        if begun == "destroy" and GONE in told(second):
            continue
        assert won(second), f"suspended at call {at}: {told(second)}"
        if leased(played, first, second.began):
            late += 1
            assert writes(played, first, second.ended_behind) == [], f"suspended at call {at}"
            assert told_to_stop(first), f"suspended at call {at}: {first.ended}"
    assert late
    figures.add(deployers_that_woke_up_too_late=late)


def told_to_stop(run: Run) -> bool:
    """It says that another one has been there, or that it does not know; or all that it had to do was done before."""
    if isinstance(run.ended, CannotLook):
        return True
    said = run.ended.ending if run.ended else None
    return said in (Ending.TAKEN_OVER, Ending.UNKNOWN, Ending.DEPLOYED, Ending.DESTROYED)
