"""Drains that can be taken back: real processes, their private port, real signals and S3."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.examples.machines import DEADLINE, Bucket, edit, edit_until_closed, launch, receive
from tests.examples.relay import Relay

RARELY = "3600"
MANIFEST = "manifests/1-aaaaaaaaaa/blue.json"


def test_a_drained_machine_has_saved_and_stays(bucket: Bucket) -> None:
    """Sockets are closed with 1012, all is saved with a manifest for this very drain, and the process lives on."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue, blue.join("lobby") as socket:
        edit(socket, "e1")
        assert blue.status() == {"state": "serving", "drain": None, "done": 0, "total": 1}
        assert blue.drain("d1")["drain"] == "d1"
        with pytest.raises(ConnectionClosed) as closed:
            receive(socket, "never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert blue.until_saved() == {"state": "saved", "drain": "d1", "done": 1, "total": 1}
        manifest = bucket.read(MANIFEST)
        assert (manifest["drain"], manifest["counts"]) == ("d1", {"rooms": 1, "edits": 1})
        assert bucket.edits("lobby") == ["e1"]
        assert blue.process.is_alive()


def test_a_drained_machine_refuses(bucket: Bucket) -> None:
    """It is unhealthy, and its rooms are closed with 503 and Retry-After; it claims none that nobody had before."""
    with launch("blue", bucket=bucket) as blue:
        assert blue.get("/rooms/lobby").status_code == 200
        blue.drain()
        health = blue.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "draining"})
        for room in ("lobby", "new"):
            answer = blue.get(f"/rooms/{room}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            with pytest.raises(InvalidStatus, match="503"):
                blue.join(room)
        assert bucket.keys("claims/") == ["claims/1-aaaaaaaaaa/lobby.json"]


def test_a_resumed_machine_goes_on_with_its_memory(bucket: Bucket) -> None:
    """Healthy again, with every edit in memory and not loaded anew; resuming once more changes nothing."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            blue.drain()
            blue.until_saved()
        for _ in range(2):
            assert blue.resume() == {"state": "serving", "drain": None, "done": 0, "total": 1}
        assert blue.get("/health").status_code == 200
        with blue.join("lobby") as socket:
            assert edit(socket, "e2")["place"] == 2
        assert len([line for line in blue.log if line["event"] == "room opened"]) == 1
        assert blue.stop() == 0
    assert bucket.edits("lobby") == ["e1", "e2"]
    assert bucket.read(MANIFEST)["drain"] is None


def test_a_resumed_machine_saves_again_what_s3_has_lost(bucket: Bucket) -> None:
    """What was confirmed, and is gone when the proof looks for it, is in memory: the next drain writes it anew."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            blue.drain("d1")
            blue.until_saved()
        lost = bucket.read(MANIFEST)["objects"][0]["key"]
        bucket.s3.delete_object(Bucket=bucket.name, Key=lost)
        blue.resume()
        blue.drain("d2")
        blue.until_saved()
    assert bucket.read(MANIFEST)["objects"][0]["key"] != lost
    assert bucket.edits("lobby") == ["e1"]


def test_nothing_is_lost_when_s3_is(relayed: Bucket, relay: Relay) -> None:
    """A drain that cannot save says why and goes on trying; taken back, the edits that S3 never saw are all there."""
    with launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            relay.cut()
            blue.drain()
        blue.event("room not saved")
        status = blue.until(lambda told: "error" in told)
        assert (status["state"], status["done"], status["total"]) == ("draining", 0, 1)
        assert status["error"] == "1 of 1 rooms not saved"
        blue.resume()
        with blue.join("lobby") as socket:
            assert edit(socket, "e2")["place"] == 2
        assert relayed.keys("manifests/") == []
        relay.restore()
        blue.drain("d2")
        blue.until_saved()
    assert relayed.edits("lobby") == ["e1", "e2"]
    assert relayed.read(MANIFEST)["drain"] == "d2"


def test_a_drain_is_saved_when_s3_is_back(relayed: Bucket, relay: Relay) -> None:
    """Nobody has to ask again."""
    with launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            relay.cut()
            blue.drain()
        blue.event("room not saved")
        relay.restore()
        assert "error" not in blue.until_saved()
    assert relayed.edits("lobby") == ["e1"]


def test_a_stop_after_the_drain_writes_nothing(bucket: Bucket) -> None:
    """What was proven stays as it was proven: object by object, and the manifest too."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            blue.drain()
            blue.until_saved()
        proven = versions(bucket)
        assert blue.stop() == 0
    assert versions(bucket) == proven


def test_a_stop_in_the_middle_of_a_drain_finishes_it(relayed: Bucket, relay: Relay) -> None:
    """The manifest still answers the drain that was asked for, and the stop cannot be taken back."""
    with launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            relay.cut()
            blue.drain("d1")
        blue.event("room not saved")
        blue.send(signal.SIGTERM)
        blue.event("stopping")
        refused = blue.ask("DELETE", "/drain")
        assert (refused.status_code, refused.json()["state"]) == (409, "draining")
        relay.restore()
        assert blue.ended() == 0
    assert relayed.edits("lobby") == ["e1"]
    assert relayed.read(MANIFEST)["drain"] == "d1"


def test_a_signal_drains_and_another_takes_it_back(bucket: Bucket) -> None:
    """SIGUSR1 saves and stays, with a new manifest each time; SIGHUP goes on with memory intact."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e1")
            blue.send(signal.SIGUSR1)
            blue.until_saved()
        first = bucket.read(MANIFEST)
        assert first["drain"] is None
        blue.send(signal.SIGUSR1)
        blue.until(lambda told: told["state"] == "saved" and bucket.read(MANIFEST) != first)
        assert bucket.read(MANIFEST)["saved_at"] > first["saved_at"]
        blue.send(signal.SIGHUP)
        blue.event("resumed")
        assert blue.get("/health").status_code == 200
        with blue.join("lobby") as socket:
            assert edit(socket, "e2")["place"] == 2
        assert blue.stop() == 0
    assert bucket.edits("lobby") == ["e1", "e2"]


def test_nothing_acknowledged_is_missing_from_a_drain(bucket: Bucket) -> None:
    """Players who never pause are drained in the middle, five times: what was acknowledged is what was saved."""
    with (
        launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS="0.005") as blue,
        ThreadPoolExecutor(4) as players,
    ):
        acked: list[dict[str, Any]] = []
        for round_ in range(5):
            names = [f"r{round_}p{number}" for number in range(4)]
            promised = [players.submit(edit_until_closed, blue, f"room-{name[-1]}", name) for name in names]
            with blue.join("room-0", "watcher") as watcher:
                for _ in range(20):
                    receive(watcher, "text")
            blue.drain(f"d{round_}")
            acked += [ack for player in promised for ack in player.result()]
            blue.until_saved()
            saved = {f"room-{number}": bucket.edits(f"room-{number}") for number in range(4)}
            assert [ack for ack in acked if saved[ack["room"]][ack["place"] - 1] != ack["ack"]] == []
            assert bucket.read(MANIFEST)["counts"]["edits"] == sum(map(len, saved.values()))
            blue.resume()
    assert len(acked) >= 100


def versions(bucket: Bucket) -> list[tuple[str, str, object]]:
    """Every object's key, ETag and time of writing."""
    listing = bucket.s3.list_objects_v2(Bucket=bucket.name)
    return [(row["Key"], row["ETag"], row["LastModified"]) for row in listing["Contents"]]


def test_users_cannot_drain() -> None:
    """The public port knows neither path, and the private one knows no room."""
    with launch("m1") as machine:
        for path in ("/drain", "/rehearsal"):
            assert machine.get(path).status_code == 404
            with pytest.raises(httpx.HTTPError):
                httpx.post(machine.url + path, trust_env=False, timeout=DEADLINE).raise_for_status()
        for path in ("/rooms/lobby", "/health"):
            assert machine.ask("GET", path).status_code == 404
        assert machine.status()["state"] == "serving"


WRONG_REQUESTS: dict[tuple[str, bytes], int] = {
    ("POST", b""): 400,
    ("POST", b"[]"): 400,
    ("POST", b'{"drain": "d1"}'): 400,
    ("POST", b'{"drain": 1, "successor": "2-b"}'): 400,
    ("POST", b'{"drain": "", "successor": "2-b"}'): 400,
    ("POST", b'{"drain": "d\\u001b[2J", "successor": "2-b"}'): 400,
    ("POST", b"{" + b" " * 70_000 + b"}"): 413,
    ("PUT", b""): 405,
}


def test_a_wrong_request_changes_nothing() -> None:
    """What is no drain request is refused with an error, and the machine goes on serving."""
    with launch("m1") as machine:
        url = machine.private_url + "/drain"
        for (method, content), status in WRONG_REQUESTS.items():
            answer = httpx.request(method, url, content=content, trust_env=False, timeout=DEADLINE)
            assert (answer.status_code, list(answer.json())) == (status, ["error"])
        assert machine.status() == {"state": "serving", "drain": None, "done": 0, "total": 0}


def test_without_a_bucket_nothing_is_ever_saved() -> None:
    """A machine that only has its memory quiesces, says why it will never be saved, and can be resumed."""
    with launch("alone") as machine, machine.join("lobby") as socket:
        edit(socket, "e1")
        machine.drain()
        assert machine.status()["state"] == "draining"
        assert "BLUEGREEN_STATE_BUCKET" in machine.status()["error"]
        machine.resume()
        with machine.join("lobby") as back:
            assert receive(back, "places")["places"] == 1
        assert machine.stop() == 0


def test_a_drain_says_in_the_log_who_asked(bucket: Bucket) -> None:
    """The drain's id and the successor's name are there for whoever looks for them later."""
    with launch("blue", bucket=bucket) as blue:
        blue.drain("d1")
        asked = blue.event("drain asked for")
    assert (asked["drain"], asked["successor"]) == ("d1", "2-bbbbbbbbbb")
