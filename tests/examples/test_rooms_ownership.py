"""Each room has one owner within a release, and everybody finds it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from examples.rooms.bucket import Bucket as S3Bucket
from examples.rooms.s3 import S3
from examples.rooms.settings import Settings
from examples.rooms.store import Claim, StoreError
from tests.examples.machines import Bucket, Machine, edit, launch


def test_another_machine_replays_to_the_owner(bucket: Bucket) -> None:
    """Requests and handshakes that land elsewhere are answered with `fly-replay` to the room's owner."""
    with launch("m1", bucket=bucket) as owner, launch("m2", bucket=bucket) as other:
        with owner.join("lobby") as socket:
            edit(socket, "e1")
        answer = other.get("/rooms/lobby")
        assert answer.headers["fly-replay"] == "instance=m1"
        assert answer.status_code == 409
        with pytest.raises(InvalidStatus) as refused:
            other.join("lobby")
        assert refused.value.response.headers["fly-replay"] == "instance=m1"
        assert other.stop() == 0
    assert bucket.read("manifests/1-aaaaaaaaaa/m2.json")["objects"] == []


def test_a_race_for_rooms_has_one_winner_each(bucket: Bucket) -> None:
    """Three machines are asked for the same rooms at once: one serves each, the others name that one."""
    rooms = [f"room-{number}" for number in range(8)]
    with ExitStack() as stack, ThreadPoolExecutor(24) as askers:
        machines = [stack.enter_context(launch(f"m{n}", bucket=bucket)) for n in range(3)]
        for machine in machines:
            machine.event("state bucket reached")
        answers = {
            (room, machine.machine_id): askers.submit(machine.get, f"/rooms/{room}")
            for room in rooms
            for machine in machines
        }
        owners = {
            room: {owner_named(answers[room, m.machine_id].result(), m) for m in machines} for room in rooms
        }
    assert [found for found in owners.values() if len(found) != 1] == []
    assert len(bucket.keys("claims/1-aaaaaaaaaa/")) == len(rooms)


def owner_named(answer: httpx.Response, asked: Machine) -> str:
    """Who owns the room, as the machine that was asked says."""
    if answer.status_code == 200:
        return asked.machine_id
    return answer.headers["fly-replay"].removeprefix("instance=")


def test_one_machine_opens_a_room_once(bucket: Bucket) -> None:
    """Players who come to a closed room at the same time end up in the same one."""
    with launch("m1", bucket=bucket) as machine, ThreadPoolExecutor(8) as players:

        def join_and_edit(number: int) -> int:
            with machine.join("lobby", f"p{number}") as socket:
                place: int = edit(socket, f"e{number}")["place"]
                return place

        assert sorted(players.map(join_and_edit, range(8))) == list(range(1, 9))
        assert len([line for line in machine.log if line["event"] == "room opened"]) == 1


def test_ownership_ends_with_the_release(bucket: Bucket) -> None:
    """The next release has owners of its own, whoever owned the room before."""
    with launch("blue", bucket=bucket) as blue:
        assert blue.get("/rooms/lobby").status_code == 200
        assert blue.stop() == 0
    with launch("green", release="2-bbbbbbbbbb", bucket=bucket) as green:
        assert green.get("/rooms/lobby").status_code == 200
    assert bucket.read("claims/1-aaaaaaaaaa/lobby.json")["machine_id"] == "blue"
    assert bucket.read("claims/2-bbbbbbbbbb/lobby.json")["machine_id"] == "green"


@pytest.fixture
def s3(bucket: Bucket) -> S3:
    """The app's own view of the bucket, as machine m1."""
    settings = Settings.from_env(bucket.environ | {"FLY_MACHINE_ID": "m1"}, started_at=0.0)
    return S3(settings, S3Bucket(bucket.name, settings.prefix, bucket.s3))


def test_a_412_to_our_own_claim_is_our_success(
    s3: S3, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A create that arrived twice is answered 412: what is read back says that it was ours (hudi#14373)."""
    monkeypatch.setattr("examples.rooms.s3.secrets.token_hex", lambda size: "0" * 2 * size)
    assert s3.claim("lobby") == Claim("m1", new=True)
    assert s3.claim("lobby") == Claim("m1", new=True)
    assert bucket.keys("claims/") == ["claims/local/lobby.json"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'"m1"'])
def test_an_unreadable_claim_is_nobodys_in_particular(s3: S3, bucket: Bucket, body: bytes) -> None:
    """A claim that names no machine is an error, and never means that the room is free."""
    bucket.s3.put_object(Bucket=bucket.name, Key="state/claims/local/lobby.json", Body=body)
    with pytest.raises(StoreError, match="names no machine"):
        s3.claim("lobby")


def test_a_missing_bucket_is_not_an_empty_room(s3: S3, bucket: Bucket) -> None:
    """Both are a 404; only a missing key means that the room is new."""
    assert s3.load("lobby").edits == []
    bucket.s3.delete_bucket(Bucket=bucket.name)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        s3.load("lobby")
