"""The audit finds every broken promise, and accuses nobody else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.players import Ack, Gap, Log, Wait, audit


def acked(edit: str, place: int, at: float, **fields: object) -> Ack:
    """An acknowledgement that came at `at`, of an edit sent 0.1 s and wanted 0.2 s before."""
    ack = Ack(
        player="ada",
        room="lobby",
        edit=edit,
        place=place,
        machine_id="blue",
        release="1-a",
        version="v1",
        session=1,
        attempts=1,
        wanted=at - 0.2,
        sent=at - 0.1,
        acked=at,
        sent_at=at - 0.1,
        acked_at=at,
    )
    return replace(ack, **fields)  # type: ignore[arg-type]


def logged(*acks: Ack, unacked: Sequence[Wait] = (), stopped: float = 100.0) -> Log:
    """A log of these acknowledgements."""
    return Log(acks=acks, sessions=(), unacked=unacked, stopped=stopped)


@st.composite
def handoffs(draw: st.DrawFn) -> tuple[Log, dict[str, list[str]]]:
    """Honest histories: rooms whose edits are acknowledged in order by one owner after the other."""
    owners = draw(st.lists(st.sampled_from(["m1", "m2", "m3", "m4"]), unique=True, min_size=1))
    acks: list[Ack] = []
    rooms: dict[str, list[str]] = {}
    for room in draw(st.lists(st.sampled_from(["attic", "lobby", "cellar"]), unique=True)):
        shares = draw(st.lists(st.integers(0, 5), min_size=len(owners), max_size=len(owners)))
        made = [owner for owner, share in zip(owners, shares, strict=True) for _ in range(share)]
        rooms[room] = [f"{room}-{number}" for number in range(len(made))]
        acks += [
            acked(edit, place, at=float(place), machine_id=owner, room=room)
            for place, (edit, owner) in enumerate(zip(rooms[room], made, strict=True), start=1)
        ]
    return logged(*draw(st.permutations(acks))), rooms


@given(handoffs())
def test_a_handoff_that_kept_every_promise_passes(handoff: tuple[Log, dict[str, list[str]]]) -> None:
    """Owners that follow each other and rooms that hold everything leave nothing to find."""
    log, rooms = handoff
    result = audit(log, rooms)
    assert result.passed
    assert result.acknowledged == result.found == len(log.acks)


@given(handoffs(), st.data())
def test_exactly_the_missing_edits_are_lost(
    handoff: tuple[Log, dict[str, list[str]]], data: st.DataObject
) -> None:
    """Whatever is taken out of the end of a room is reported as lost, and nothing else."""
    log, rooms = handoff
    kept = {room: edits[: data.draw(st.integers(0, len(edits)))] for room, edits in rooms.items()}
    result = audit(log, kept)
    missing = {edit for room, edits in rooms.items() for edit in edits[len(kept[room]) :]}
    assert {ack.edit for ack in result.lost} == missing
    assert result.passed == (not missing)
    assert result.found + len(result.lost) == result.acknowledged


def test_an_edit_at_another_place_has_moved() -> None:
    """An acknowledgement promises a place, too."""
    log = logged(acked("a", 1, at=1.0), acked("b", 2, at=2.0))
    result = audit(log, {"lobby": ["b", "a"]})
    assert [ack.edit for ack in result.moved] == ["a", "b"]
    assert not result.passed


def test_an_edit_at_two_places_is_duplicated() -> None:
    """An edit id stands in its room once, acknowledged or not."""
    result = audit(logged(acked("a", 1, at=1.0)), {"lobby": ["a", "b", "a", "b"], "attic": ["a"]})
    assert result.duplicated == ("lobby/a", "lobby/b")
    assert result.moved == ()
    assert not result.passed


def test_an_old_owner_that_goes_on_is_found() -> None:
    """A machine that takes an edit after the next owner has begun makes two owners."""
    late = acked("c", 3, at=3.0)
    log = logged(acked("a", 1, at=1.0), acked("b", 2, at=2.0, machine_id="green"), late)
    result = audit(log, {"lobby": ["a", "b", "c"]})
    assert [(proof.room, proof.why, proof.second) for proof in result.two_owners] == [
        ("lobby", "after the new owner", late)
    ]
    assert not result.passed


def test_two_machines_that_give_one_place_away_are_found() -> None:
    """One place for different edits, given by different machines, makes two owners."""
    log = logged(acked("a", 1, at=1.0), acked("b", 1, at=2.0, machine_id="green"))
    result = audit(log, {"lobby": ["b"]})
    assert [proof.why for proof in result.two_owners] == ["same place"]
    assert [ack.edit for ack in result.lost] == ["a"]


def test_a_machine_that_forgot_an_edit_lost_it_but_was_alone() -> None:
    """One machine that gives a place away twice has restarted from an older state: lost, not two owners."""
    result = audit(logged(acked("a", 1, at=1.0), acked("b", 1, at=2.0)), {"lobby": ["b"]})
    assert result.two_owners == ()
    assert [ack.edit for ack in result.lost] == ["a"]


def test_an_acknowledgement_that_was_read_late_accuses_nobody() -> None:
    """An edit sent before the new owner's first acknowledgement may well be read after it."""
    late = acked("b", 2, at=5.0, sent=1.9)
    log = logged(acked("a", 1, at=1.0), acked("c", 3, at=2.0, machine_id="green"), late)
    assert audit(log, {"lobby": ["a", "b", "c"]}).passed


def test_rooms_are_judged_apart() -> None:
    """Different machines own different rooms at the same time."""
    log = logged(
        acked("a", 1, at=1.0),
        acked("b", 1, at=2.0, machine_id="m2", room="attic"),
        acked("c", 2, at=3.0),
    )
    assert audit(log, {"lobby": ["a", "c"], "attic": ["b"]}).passed


def test_a_room_that_was_not_read_proves_nothing() -> None:
    """Missing contents are an error, not lost edits."""
    with pytest.raises(KeyError):
        audit(logged(acked("a", 1, at=1.0)), {})


def test_a_gap_begins_when_the_player_wanted_to_edit() -> None:
    """The wait across a disconnect counts from the wish, not from the last send, and the longest counts."""
    log = logged(
        acked("a", 1, at=1.0, session=1),
        acked("b", 2, at=6.0, session=2, wanted=2.0, sent=5.9, attempts=3),
        acked("c", 3, at=9.0, session=3, wanted=8.0),
        acked("d", 4, at=29.0, session=3, wanted=10.0),
    )
    assert audit(log, {"lobby": ["a", "b", "c", "d"]}).gap == Gap(players=1, p50=4.0, p99=4.0, max=4.0)


def test_gaps_are_summed_up_over_players() -> None:
    """p50, p99 and maximum of each disconnected player's longest gap; the others don't count."""
    acks = [acked("calm", 1, at=1.0, player="calm")]
    for number in range(101):
        player = f"p{number:03}"
        acks.append(acked(f"{player}-1", 0, at=1.0, player=player, room=player))
        acks.append(
            acked(f"{player}-2", 0, at=10.0 + number, player=player, room=player, session=2, wanted=10.0)
        )
    rooms: dict[str, list[str]] = {ack.room: [] for ack in acks}
    assert audit(logged(*acks), rooms).gap == Gap(players=101, p50=50.0, p99=99.0, max=100.0)


def test_a_player_who_still_waits_is_part_of_the_gap() -> None:
    """Who never got back in has waited until the end, at least."""
    wait = Wait(player="bob", room="lobby", edit="b", wanted=90.0)
    result = audit(logged(acked("a", 1, at=1.0), unacked=[wait]), {"lobby": ["a"]})
    assert result.gap.max == 10.0
    assert result.unacknowledged == 1
    assert result.passed


def test_the_verdict_is_json() -> None:
    """Verdict and evidence can be written to a file as they are."""
    log = logged(acked("a", 1, at=1.0), acked("b", 1, at=2.0, machine_id="green"))
    verdict = json.loads(json.dumps(audit(log, {"lobby": ["b"]}).to_json()))
    assert verdict["passed"] is False
    assert verdict["lost"][0]["edit"] == "a"
    assert verdict["two_owners"][0]["second"]["machine_id"] == "green"
    assert json.loads(json.dumps(log.to_json()))["acks"][0]["edit"] == "a"
