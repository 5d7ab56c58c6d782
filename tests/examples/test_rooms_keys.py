"""Saved rooms under keys that no late write can take, and what is tidied up behind them."""

from __future__ import annotations

import signal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from examples.rooms.bucket import Bucket as S3Bucket
from examples.rooms.keys import Stamp, StateKey, newest_of_each
from examples.rooms.room import Edit
from examples.rooms.s3 import S3
from examples.rooms.settings import Settings
from examples.rooms.store import Owner, StoreError, Taken
from tests.examples.machines import Bucket, edit, launch
from tests.examples.memory_s3 import MemoryBucket, over

RARELY = "3600"
stamps = st.builds(Stamp, st.integers(0, 10**10 - 1), st.integers(0, 10**10 - 1))


@given(stamps, stamps)
def test_keys_sort_by_owner_and_then_by_age(one: Stamp, other: Stamp) -> None:
    """The order of the names is the order of the stamps, so a listing's last key is the one that counts."""
    names = [str(StateKey("lobby", stamp)) for stamp in (one, other)]
    assert (names[0] < names[1]) == (one < other)
    assert StateKey.parse(names[0]).stamp == one


@given(stamps.filter(lambda stamp: stamp.sequence < 10**10 - 1), st.none() | st.integers(0, 10**10 - 1))
def test_the_next_write_comes_after_everything_of_its_owner(stamp: Stamp, number: int | None) -> None:
    """A later owner's first write is above all of the owners before; without a fence the number stays."""
    after = stamp.next(number)
    assert after.number == (stamp.number if number is None else number)
    assert after > stamp or after.number < stamp.number
    assert after.sequence >= 1


@pytest.mark.parametrize(
    "key",
    [
        "rooms/lobby.json",
        "rooms/lobby/1-1.json",
        "rooms/a/b/0000000001-0000000001.json",
        "owners/0000000001.json",
    ],
)
def test_other_keys_are_no_rooms(key: str) -> None:
    """What does not look like a room's state is never taken for one."""
    with pytest.raises(ValueError, match="no room's state"):
        StateKey.parse(key)


def test_each_room_has_one_key_that_counts() -> None:
    """The highest of each room, whatever order they come in."""
    keys = [StateKey(room, Stamp(1, n)) for n in (2, 3, 1) for room in ("lobby", "attic")]
    assert newest_of_each(keys) == {room: StateKey(room, Stamp(1, 3)) for room in ("lobby", "attic")}


def test_a_late_write_of_the_last_owner_changes_nothing(bucket: Bucket) -> None:
    """What blue still had under way when green took over arrives below green's writes, and is never read."""
    bucket.hand_over(2, "2-bbbbbbbbbb")
    with launch("green", release="2-bbbbbbbbbb", bucket=bucket, fenced=True) as green:
        with green.join("lobby") as socket:
            edit(socket, "green's")
        assert green.stop() == 0
        late = {"version": 1, "room": "lobby", "edits": [{"edit": "blue's", "text": ""}]}
        bucket.put("rooms/lobby/0000000001-0000000099.json", late)
    with launch("green", release="2-bbbbbbbbbb", bucket=bucket, fenced=True) as green:
        assert [row["edit"] for row in green.get("/rooms/lobby").json()["edits"]] == ["green's"]


def test_a_later_write_of_another_owner_would_change_everything(bucket: Bucket) -> None:
    """Negative control: the same object above green's is what the next reader finds."""
    with launch("green", bucket=bucket) as green:
        with green.join("lobby") as socket:
            edit(socket, "green's")
        assert green.stop() == 0
    bucket.put("rooms/lobby/0000000001-0000000099.json", {"version": 1, "room": "lobby", "edits": []})
    with launch("green", bucket=bucket) as green:
        assert green.get("/rooms/lobby").json()["edits"] == []


def test_a_write_of_an_earlier_boot_is_not_overwritten(bucket: Bucket) -> None:
    """Those that arrive after the machine's crash keep their keys: the new process saves behind all of them."""
    keys = [f"rooms/lobby/0000000000-{sequence:010}.json" for sequence in (1, 7)]
    late = {"version": 1, "room": "lobby", "edits": []}
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue, blue.join("lobby") as socket:
        edit(socket, "e1")
        for key in keys:
            bucket.put(key, late)
        assert blue.stop() == 0
        assert "PreconditionFailed" in blue.event("room not saved")["error"]
    assert [bucket.read(key) for key in keys] == [late, late]
    assert bucket.edits("lobby") == ["e1"]


def test_a_killed_machine_goes_on_where_it_was(bucket: Bucket) -> None:
    """The sequence continues after the last key, in the same process or the next."""
    with launch("blue", bucket=bucket, ROOMS_CHECKPOINT_SECONDS="0.02") as blue, blue.join("lobby") as socket:
        edit(socket, "e1")
        blue.event("rooms saved")
        blue.send(signal.SIGKILL)
        blue.ended()
    with launch("blue", bucket=bucket) as blue, blue.join("lobby") as socket:
        edit(socket, "e2")
        assert blue.stop() == 0
    assert bucket.keys("rooms/") == [
        f"rooms/lobby/0000000000-000000000{sequence}.json" for sequence in (1, 2)
    ]


def test_a_machine_tidies_up_behind_itself(bucket: Bucket) -> None:
    """However often a room is saved, two keys stay: the last one, and the one that the last owner's manifest names."""
    with launch("blue", bucket=bucket) as blue:
        with blue.join("lobby") as socket:
            edit(socket, "e0")
        assert blue.stop() == 0
    named = bucket.read("manifests/1-aaaaaaaaaa/blue.json")["objects"][0]["key"].removeprefix(bucket.prefix)
    with launch("green", release="2-b", bucket=bucket, ROOMS_CHECKPOINT_SECONDS="0.01") as green:
        with green.join("lobby") as socket:
            for number in range(1, 4):
                edit(socket, f"e{number}")
                green.until(lambda told: told["done"] == told["total"])
        green.until(lambda told: len(bucket.keys("rooms/")) == 2)
        assert bucket.keys("rooms/")[0] == named
        assert bucket.edits("lobby") == ["e0", "e1", "e2", "e3"]


def test_the_next_owner_tidies_up_what_is_left(bucket: Bucket) -> None:
    """Keys that were superseded already when the room was opened go with its first save, and not before."""
    old = [f"rooms/lobby/0000000000-{sequence:010}.json" for sequence in range(1, 6)]
    for key in old:
        bucket.put(key, {"version": 1, "room": "lobby", "edits": []})
    with (
        launch("green", bucket=bucket, ROOMS_CHECKPOINT_SECONDS="0.01") as green,
        green.join("lobby") as socket,
    ):
        assert bucket.keys("rooms/") == old
        edit(socket, "e1")
        green.until(lambda told: len(bucket.keys("rooms/")) == 2)
    assert bucket.keys("rooms/") == [old[-1], "rooms/lobby/0000000000-0000000006.json"]


def test_a_listing_goes_on_after_its_first_page() -> None:
    """S3 lists a thousand keys at a time, and the one that counts is the very last."""
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    pages: list[dict[str, Any]] = [
        {"Contents": [{"Key": "p/rooms/lobby/1"}], "IsTruncated": True, "NextContinuationToken": "more"},
        {"Contents": [{"Key": "p/rooms/lobby/2"}], "IsTruncated": False},
    ]
    asked = {"Bucket": "b", "Prefix": "p/rooms/lobby/", "StartAfter": "p/rooms/lobby/"}
    with Stubber(client) as stubber:
        stubber.add_response("list_objects_v2", pages[0], asked)
        stubber.add_response("list_objects_v2", pages[1], asked | {"ContinuationToken": "more"})
        assert S3Bucket("b", "p/", client).keys("rooms/lobby/") == ["rooms/lobby/1", "rooms/lobby/2"]
    client.close()


@pytest.fixture
def memory() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def s3(memory: MemoryBucket) -> S3:
    return over(memory, Settings.from_env({"FLY_MACHINE_ID": "m1"}, started_at=0.0))


def test_a_key_is_written_once(s3: S3, memory: MemoryBucket) -> None:
    """A second write with the same stamp is refused, and changes nothing."""
    saved = s3.save("lobby", Stamp(1, 1), [Edit("first", "")])
    with pytest.raises(Taken):
        s3.save("lobby", Stamp(1, 1), [Edit("second", "")])
    assert memory.edits("lobby") == ["first"]
    assert saved.key == "rooms/lobby/0000000001-0000000001.json"


def test_a_room_that_is_saved_while_it_is_read_is_read_anew(s3: S3, memory: MemoryBucket) -> None:
    """Between listing and reading, its key may be superseded and tidied up."""
    for sequence in (1, 2):
        s3.save("lobby", Stamp(1, sequence), [Edit(f"e{sequence}", "text")])
    del memory.objects["rooms/lobby/0000000001-0000000001.json"]
    size = len(memory.objects["rooms/lobby/0000000001-0000000002.json"])
    assert s3.rehearse(StateKey("lobby", Stamp(1, 1))) == size


def test_a_key_that_is_listed_and_not_there_is_no_empty_room(s3: S3) -> None:
    """An object that vanished without a successor is an error."""
    with pytest.raises(StoreError, match="was listed and is not there"):
        s3.rehearse(StateKey("lobby", Stamp(1, 1)))


@pytest.mark.parametrize(
    "body", [b"", b"1", b"[]", b"{}", b'{"version": 2, "release": "1-a"}', b'{"version": 1}']
)
def test_a_record_names_a_release_or_is_an_error(s3: S3, memory: MemoryBucket, body: bytes) -> None:
    """Whatever is wrong with the highest record, the one below it is not read instead."""
    memory.hand_over(1, "1-a")
    memory.objects["owners/0000000002.json"] = body
    with pytest.raises(StoreError, match=r"owners/0000000002\.json names no release"):
        s3.owner(None)


def test_a_key_that_is_no_record_is_an_error(s3: S3, memory: MemoryBucket) -> None:
    """Nothing among the records is passed over; what an app keeps there for a release is none."""
    memory.hand_over(1, "1-a")
    memory.objects["owners/2-b/lobby.json"] = b"{}"
    assert s3.owner(None) == Owner(1, "1-a")
    memory.objects["owners/0latest.json"] = b"{}"
    with pytest.raises(StoreError, match="is no record of an owner"):
        s3.owner(None)
