"""The fence: no room before the release owns the state, and nothing written after. Real processes and S3."""

from __future__ import annotations

import signal

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from examples.rooms.settings import Settings
from tests.examples.machines import Bucket, edit, launch, receive
from tests.examples.relay import Relay

BLUE, GREEN = "1-aaaaaaaaaa", "2-bbbbbbbbbb"
RARELY = "3600"
OFTEN = "0.02"


def test_green_refuses_rooms_until_it_owns_the_state(bucket: Bucket) -> None:
    """Healthy, and closed with 503: nothing is claimed and nothing loaded before the record names it."""
    bucket.hand_over(1, BLUE)
    with launch("green", release=GREEN, bucket=bucket, fenced=True) as green:
        green.event("state bucket reached")
        assert green.get("/health").status_code == 200
        answer = green.get("/rooms/lobby")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        with pytest.raises(InvalidStatus, match="503"):
            green.join("lobby")
        assert bucket.keys("claims/") == []
        bucket.hand_over(2, GREEN)
        green.event("rooms refused")
        with green.join_patiently("lobby") as socket:
            assert edit(socket, "e1")["place"] == 1
        assert green.event("state owned")["number"] == 2


@pytest.mark.parametrize(
    ("environ", "fenced"),
    [
        ({}, False),
        ({"BLUEGREEN_CUTOVER": "overlap"}, False),
        ({"BLUEGREEN_CUTOVER": "handoff"}, True),
        ({"BLUEGREEN_CUTOVER": "handoff", "ROOMS_FENCE": "off"}, False),
    ],
)
def test_the_fence_is_for_clusters_that_follow_each_other(environ: dict[str, str], fenced: bool) -> None:
    """Where they overlap no owner is recorded; and the fence can be switched off, to see what it is good for."""
    assert Settings.from_env(environ, started_at=0.0).fenced is fenced


def test_without_the_fence_green_takes_what_is_blues(bucket: Bucket) -> None:
    """Negative control: rooms are opened at once, whoever owns the state."""
    bucket.hand_over(1, BLUE)
    with launch("green", release=GREEN, bucket=bucket) as green:
        assert green.get("/rooms/lobby").status_code == 200


def test_nobody_owns_what_no_record_names(bucket: Bucket) -> None:
    """A missing record is no permission."""
    with launch("green", release=GREEN, bucket=bucket, fenced=True) as green:
        assert green.get("/rooms/lobby").status_code == 503
        assert "nobody" in green.event("rooms refused")["why"]


def test_the_highest_record_counts(bucket: Bucket) -> None:
    """Numbers sort as numbers, and an earlier record of the same release is no permission."""
    for number, release in ((2, GREEN), (10, BLUE)):
        bucket.hand_over(number, release)
    with launch("green", release=GREEN, bucket=bucket, fenced=True) as green:
        assert green.get("/rooms/lobby").status_code == 503
        assert "record 10" in green.event("rooms refused")["why"]


def test_a_record_that_cannot_be_read_is_no_permission(bucket: Bucket) -> None:
    """Unknown is not absent: the record before it does not count again."""
    bucket.hand_over(1, BLUE)
    bucket.put("owners/0000000002.json", [])
    with launch("blue", release=BLUE, bucket=bucket, fenced=True) as blue:
        answer = blue.get("/rooms/lobby")
        assert answer.status_code == 503
        assert "owners/0000000002.json names no release" in answer.json()["error"]


def test_s3_that_does_not_answer_is_no_permission(relayed: Bucket, relay: Relay) -> None:
    """The owner is asked for, and the answer is remembered: later outages close no room that is open."""
    relayed.hand_over(1, BLUE)
    with launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY, fenced=True) as blue:
        blue.event("state bucket reached")
        relay.cut()
        assert blue.get("/rooms/lobby").status_code == 503
        relay.restore()
        with blue.join_patiently("lobby") as socket:
            relay.cut()
            assert edit(socket, "e1")["place"] == 1
            assert blue.get("/rooms/lobby").status_code == 200
            relay.restore()
            assert blue.stop() == 0
    assert relayed.edits("lobby") == ["e1"]


def test_who_has_lost_the_state_writes_nothing_more(bucket: Bucket) -> None:
    """Found out at the next checkpoint: sockets closed, edits refused, rooms and manifest unwritten, exit code 1."""
    bucket.hand_over(1, BLUE)
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY, fenced=True) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "never saved")
            bucket.hand_over(2, GREEN)
            blue.send(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                receive(socket, "never")
        assert blue.ended() == 1
        assert GREEN in blue.event("state lost")["why"]
        assert blue.event("nothing more saved")["unsaved"] == ["lobby"]
    assert bucket.keys("rooms/") == bucket.keys("manifests/") == []


def test_a_checkpoint_finds_out_that_the_state_is_lost(bucket: Bucket) -> None:
    """Nobody has to tell the machine: it refuses its own rooms, stays healthy, and ends with 0 if all is saved."""
    bucket.hand_over(1, BLUE)
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=OFTEN, fenced=True) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            blue.event("rooms saved")
            bucket.hand_over(2, GREEN)
            with pytest.raises(ConnectionClosed) as closed:
                receive(socket, "never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert blue.get("/rooms/lobby").status_code == 503
        assert blue.get("/health").status_code == 200
        assert blue.stop() == 0
    assert bucket.keys("manifests/") == []


def test_without_the_fence_a_lost_state_is_written_all_the_same(bucket: Bucket) -> None:
    """Negative control: an old machine goes on writing although a record names another release."""
    bucket.hand_over(1, BLUE)
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue, blue.join("lobby") as socket:
        edit(socket, "e1")
        bucket.hand_over(2, GREEN)
        assert blue.stop() == 0
    assert bucket.edits("lobby") == ["e1"]


def test_a_machine_that_does_not_own_the_state_cannot_be_drained(bucket: Bucket) -> None:
    """It says who owns it instead of `saved`, and writes no manifest before it is the owner itself."""
    bucket.hand_over(1, BLUE)
    with launch("green", release=GREEN, bucket=bucket, fenced=True) as green:
        green.drain()
        status = green.until(lambda told: "error" in told)
        assert status["state"] == "draining"
        assert BLUE in status["error"]
        assert bucket.keys("manifests/") == []
        bucket.hand_over(2, GREEN)
        green.until_saved()


def test_a_machine_that_does_not_own_the_state_can_be_stopped(bucket: Bucket) -> None:
    """A green that is given up has nothing to save: it ends with 0, and leaves no manifest."""
    bucket.hand_over(1, BLUE)
    with launch("green", release=GREEN, bucket=bucket, fenced=True) as green:
        assert green.get("/rooms/lobby").status_code == 503
        assert green.stop() == 0
    assert bucket.keys("manifests/") == []


def test_the_owner_is_looked_up_anew_after_a_resume(bucket: Bucket) -> None:
    """A resume that comes too late, when green owns the state, opens no room of blue."""
    bucket.hand_over(1, BLUE)
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY, fenced=True) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            blue.drain()
            blue.until_saved()
        bucket.hand_over(2, GREEN)
        assert blue.resume()["state"] == "serving"
        assert blue.get("/rooms/lobby").status_code == 503
        bucket.hand_over(3, BLUE)
        with blue.join_patiently("lobby") as socket:
            assert edit(socket, "e2")["place"] == 2
        assert blue.stop() == 0
    assert bucket.keys("rooms/")[-1] == "rooms/lobby/0000000003-0000000001.json"


def test_claims_outlive_another_owner(bucket: Bucket) -> None:
    """A release that serves again after another one finds its rooms at the machines that had them."""
    for number, release, machine in ((1, BLUE, "blue"), (2, GREEN, "green"), (3, BLUE, "blue")):
        bucket.hand_over(number, release)
        with (
            launch(machine, release=release, bucket=bucket, fenced=True) as running,
            running.join("lobby") as socket,
        ):
            assert edit(socket, f"e{number}")["place"] == number
            assert running.stop() == 0
    assert bucket.edits("lobby") == ["e1", "e2", "e3"]
    assert bucket.keys("claims/") == [f"claims/{release}/lobby.json" for release in (BLUE, GREEN)]
