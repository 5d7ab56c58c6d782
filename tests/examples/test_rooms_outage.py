"""S3 that does not answer, answers too late, or holds nonsense: unknown is never read as empty or saved."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from websockets.exceptions import InvalidStatus

from tests.examples.machines import Bucket, edit, launch
from tests.examples.relay import Relay

RARELY = "3600"
LOBBY_1 = "rooms/lobby/0000000000-0000000001.json"


def test_saving_goes_on_until_s3_is_back(relayed: Bucket, relay: Relay) -> None:
    """While S3 is away a stopped machine stays, unhealthy and closed to players, and then saves."""
    with launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            relay.cut()
            blue.send(signal.SIGTERM)
            assert blue.event("room not saved")["room"] == "lobby"
        health = blue.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "draining"})
        assert blue.get("/rooms/lobby").status_code == 503
        with pytest.raises(InvalidStatus, match="503"):
            blue.join("lobby")
        blue.send(signal.SIGTERM)  # a second one must not end the saving
        relay.restore()
        assert blue.ended() == 0
    assert relayed.edits("lobby") == ["e1"]
    assert relayed.read("manifests/1-aaaaaaaaaa/blue.json")["counts"] == {"rooms": 1, "edits": 1}


def test_a_machine_that_could_not_save_leaves_no_proof(relayed: Bucket, relay: Relay) -> None:
    """Killed at the end of its stop timeout: no exit 0 and no manifest."""
    with (
        launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue,
        blue.join("lobby") as socket,
    ):
        edit(socket, "e1")
        relay.cut()
        blue.send(signal.SIGTERM)
        blue.event("room not saved")
        blue.send(signal.SIGKILL)
        assert blue.ended() == -signal.SIGKILL
    assert relayed.keys("manifests/") == []


def test_a_failed_checkpoint_is_made_up_for(relayed: Bucket, relay: Relay) -> None:
    """A room whose checkpoint failed stays dirty and is saved by a later one."""
    with (
        launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS="0.05") as blue,
        blue.join("lobby") as socket,
    ):
        relay.cut()
        edit(socket, "e1")
        blue.event("room not saved")
        relay.restore()
        blue.event("rooms saved")
        assert relayed.edits("lobby") == ["e1"]


def test_a_claim_whose_answer_was_lost_is_still_ours(relayed: Bucket, relay: Relay) -> None:
    """The owner is read back when the create got no answer, so our own success is not taken for another's."""
    with launch("blue", bucket=relayed) as blue:
        blue.event("state bucket reached")
        relay.lose_answer_to(b"claims/1-aaaaaaaaaa/lobby.json")
        assert blue.get("/rooms/lobby").status_code == 200
        assert blue.event("room opened")["claim"] == "new"


def test_a_save_whose_answer_was_lost_is_repeated(relayed: Bucket, relay: Relay) -> None:
    """The final save counts only when it was confirmed."""
    with (
        launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue,
        blue.join("lobby") as socket,
    ):
        edit(socket, "e1")
        relay.lose_answer_to(b"rooms/lobby/")
        assert blue.stop() == 0
        assert blue.event("room not saved")["room"] == "lobby"
    assert relayed.edits("lobby") == ["e1"]


def test_a_room_that_cannot_be_read_is_not_opened(bucket: Bucket) -> None:
    """Unreadable state is an error for the players, never an empty room that would be saved over it."""
    bucket.s3.put_object(Bucket=bucket.name, Key=f"state/{LOBBY_1}", Body=b"{}")
    with launch("blue", bucket=bucket) as blue:
        assert blue.get("/rooms/lobby").status_code == 503
        assert blue.stop() == 0
    assert bucket.read(LOBBY_1) == {}


def test_a_machine_is_not_healthy_before_its_bucket_has_answered(bucket: Bucket) -> None:
    """A wrong bucket shows in the health check of the new cluster, while the old one still serves."""
    with launch("green", bucket=replace(bucket, name="no-such-bucket")) as green:
        green.event("state bucket not reached")
        health = green.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "starting"})
        assert green.get("/rooms/lobby").status_code == 503


def test_credentials_are_in_no_log_line(relayed: Bucket, relay: Relay) -> None:
    """Whatever S3 answers or fails to answer, the log names neither key nor secret."""
    with launch(
        "blue", bucket=relayed, AWS_ACCESS_KEY_ID="canary-key-id", AWS_SECRET_ACCESS_KEY="canary-secret"
    ) as blue:
        blue.event("state bucket reached")
        relay.cut()
        assert blue.get("/rooms/lobby").status_code == 503
        relay.restore()
        assert blue.get("/rooms/lobby").status_code == 200
        assert blue.stop() == 0
        assert "canary" not in str(blue.log)
