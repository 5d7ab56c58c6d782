"""What a machine leaves for the release after it: real processes, sockets, signals and S3."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed

from tests.examples.machines import Bucket, edit, edit_until_closed, launch, receive

RARELY = "3600"  # no checkpoint within the test: what is saved was saved at the end
ALWAYS = "0.005"  # a checkpoint is nearly always under way


def test_edits_survive_a_stop_and_the_next_release_reads_them(bucket: Bucket) -> None:
    """Every acknowledged edit is in the room, at its place, when the next release opens it."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue, blue.join("lobby") as socket:
        places = [edit(socket, f"e{n}")["place"] for n in range(20)]
        assert blue.stop() == 0
    assert places == list(range(1, 21))
    with launch("green", release="2-bbbbbbbbbb", version="v2", bucket=bucket) as green:
        contents = green.get("/rooms/lobby").json()
        assert [row["edit"] for row in contents["edits"]] == [f"e{n}" for n in range(20)]
        with green.join("lobby") as socket:
            assert receive(socket, "places")["places"] == 20
            assert edit(socket, "e21")["place"] == 21


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_sockets_are_closed_with_service_restart(bucket: Bucket, stop_signal: signal.Signals) -> None:
    """A player learns by close code 1012 that the machine restarts, whichever signal Fly is told to send."""
    with launch("blue", bucket=bucket) as blue, blue.join("lobby") as socket:
        blue.send(stop_signal)
        with pytest.raises(ConnectionClosed) as closed:
            receive(socket, "never")
        assert blue.ended() == 0
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


def test_the_manifest_names_what_is_in_s3(bucket: Bucket) -> None:
    """The manifest lists every room that has edits, with the ETag and size that S3 reports for it."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        for room in ("attic", "cellar", "lobby"):
            with blue.join(room) as socket:
                edit(socket, f"{room}-1")
        blue.get("/rooms/empty")
        assert blue.stop() == 0
    manifest = bucket.read("manifests/1-aaaaaaaaaa/blue.json")
    assert manifest["version"] == 1
    assert manifest["release"] == "1-aaaaaaaaaa"
    assert manifest["machine_id"] == "blue"
    assert manifest["instance_id"] == "instance-of-blue"
    assert manifest["started_at"] < manifest["saved_at"]
    assert manifest["drain"] is None
    assert manifest["counts"] == {"rooms": 3, "edits": 3}
    heads = {
        row["key"]: bucket.s3.head_object(Bucket=bucket.name, Key=row["key"]) for row in manifest["objects"]
    }
    for row in manifest["objects"]:
        assert row["etag"] == heads[row["key"]]["ETag"]
        assert row["bytes"] == heads[row["key"]]["ContentLength"]
    assert sorted(heads) == [f"state/{key}" for key in bucket.keys("rooms/")]
    assert len(heads) == 3


@pytest.mark.parametrize("checkpoints", [RARELY, ALWAYS])
def test_nothing_acknowledged_is_missing_from_what_was_saved(bucket: Bucket, checkpoints: str) -> None:
    """Players who never pause are cut off in the middle: what was acknowledged is saved, at that place."""
    with (
        launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=checkpoints) as blue,
        ThreadPoolExecutor(6) as players,
    ):
        promised = [players.submit(edit_until_closed, blue, f"room-{n % 2}", f"p{n}") for n in range(6)]
        with blue.join("room-0", "watcher") as watcher:
            for _ in range(100):
                receive(watcher, "text")
        assert blue.stop() == 0
        acks = [ack for player in promised for ack in player.result()]
    saved = {room: bucket.edits(room) for room in ("room-0", "room-1")}
    assert len(acks) >= 100
    assert [ack for ack in acks if saved[ack["room"]][ack["place"] - 1] != ack["ack"]] == []


def test_checkpoints_limit_what_a_crash_loses(bucket: Bucket) -> None:
    """A killed machine that comes back still owns its room and has what the last checkpoint saved."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=ALWAYS) as blue, blue.join("lobby") as socket:
        edit(socket, "kept")
        assert blue.event("rooms saved")["rooms"] == ["lobby"]
        blue.send(signal.SIGKILL)
        assert blue.ended() == -signal.SIGKILL
    assert bucket.keys("manifests/") == []
    with launch("blue", bucket=bucket) as blue:
        assert [row["edit"] for row in blue.get("/rooms/lobby").json()["edits"]] == ["kept"]
        assert blue.event("room opened")["claim"] == "resumed"


def test_a_room_that_was_only_read_is_never_written(bucket: Bucket) -> None:
    """A stale copy that nobody edited overwrites nothing: an aborted green may have looked into rooms."""
    with launch("green", release="2-bbbbbbbbbb", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=ALWAYS) as green:
        assert green.get("/rooms/lobby").json()["edits"] == []
        with launch("blue", bucket=bucket) as blue, blue.join("lobby") as socket:
            edit(socket, "blue-1")
            assert blue.stop() == 0
        assert green.stop() == 0
    assert bucket.edits("lobby") == ["blue-1"]


def test_without_a_bucket_it_says_that_nothing_is_kept() -> None:
    """Memory only is a choice that the log spells out."""
    with launch("alone") as machine, machine.join("lobby") as socket:
        assert "BLUEGREEN_STATE_BUCKET" in machine.event("memory only")["why"]
        assert edit(socket, "e1")["place"] == 1
        assert machine.stop() == 0
