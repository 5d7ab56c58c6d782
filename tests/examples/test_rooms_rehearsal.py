"""Can a version read what its predecessor saved? Asked of green while blue serves, and nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest

from examples.rooms.keys import Stamp
from examples.rooms.rehearsal import AT_ONCE, rehearse
from examples.rooms.room import Edit
from examples.rooms.settings import Settings
from tests.examples.machines import Bucket, edit, launch
from tests.examples.memory_s3 import MemoryBucket, SlowStore, over
from tests.examples.relay import Relay

BLUE, GREEN = "1-aaaaaaaaaa", "2-bbbbbbbbbb"


@pytest.fixture
def saved(bucket: Bucket) -> Bucket:
    """Two rooms of blue, which owns the state; one of them was saved twice."""
    bucket.hand_over(1, BLUE)
    with launch("blue", bucket=bucket, fenced=True) as blue:
        for room in ("attic", "lobby"):
            with blue.join(room) as socket:
                edit(socket, f"{room}-1")
        blue.drain()
        blue.until_saved()
        blue.resume()
        with blue.join_patiently("lobby") as socket:
            edit(socket, "lobby-2")
        assert blue.stop() == 0
    return bucket


def test_green_reads_all_that_was_saved_and_keeps_nothing(saved: Bucket) -> None:
    """The newest object of each room is counted, and green has opened no room, claimed none and written nothing."""
    keys = saved.keys("")
    with launch("green", release=GREEN, bucket=saved, version="v2", fenced=True) as green:
        answer = green.ask("POST", "/rehearsal", predecessor=BLUE)
        size = sum(
            len(saved.s3.get_object(Bucket=saved.name, Key=key)["Body"].read()) for key in newest(saved)
        )
        assert (answer.status_code, answer.json()) == (200, {"rooms": 2, "objects": 2, "bytes": size})
        assert green.get("/version").json()["rooms"] == 0
        assert green.event("rehearsed")["predecessor"] == BLUE
    assert saved.keys("") == keys


def newest(bucket: Bucket) -> list[str]:
    """The full keys that count."""
    return [bucket.prefix + max(bucket.keys(f"rooms/{room}/")) for room in ("attic", "lobby")]


def test_a_version_that_cannot_read_its_predecessors_state_says_so(saved: Bucket) -> None:
    """A release that expects another format fails the rehearsal, and names the object."""
    with launch(
        "green", release=GREEN, bucket=saved, version="v3", fenced=True, ROOMS_STATE_FORMAT="2"
    ) as green:
        answer = green.ask("POST", "/rehearsal", predecessor=BLUE)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(tuple(newest(saved)))
    assert "format 1, and this version reads 2" in answer.json()["error"]


def test_a_format_is_read_by_the_version_that_wrote_it(bucket: Bucket) -> None:
    """Negative control: the same release reads its own format, and the first one does not."""
    environ: dict[str, Any] = {"ROOMS_STATE_FORMAT": "2"}
    with launch("m1", bucket=bucket, **environ) as machine:
        with machine.join("lobby") as socket:
            edit(socket, "e1")
        assert machine.stop() == 0
    for told, status in ((environ, 200), ({}, 422)):
        with launch("m1", bucket=bucket, **told) as machine:
            assert machine.ask("POST", "/rehearsal", predecessor=BLUE).status_code == status
            assert (machine.get("/rooms/lobby").status_code == 200) == (status == 200)


def test_an_object_that_is_no_state_is_named(saved: Bucket) -> None:
    """Whatever is wrong with it."""
    key = newest(saved)[1]
    with launch("green", release=GREEN, bucket=saved, fenced=True) as green:
        for body in (b"", b"[]", b'{"version": 1, "edits": [{}]}', b"\xff"):
            saved.s3.put_object(Bucket=saved.name, Key=key, Body=body)
            answer = green.ask("POST", "/rehearsal", predecessor=BLUE)
            assert answer.status_code == 422
            assert answer.json()["error"].startswith(key)


def test_a_key_that_is_no_rooms_is_named(saved: Bucket) -> None:
    """An object that no version of the app would have written there is not passed over."""
    saved.put("rooms/lobby.json", {})
    with launch("green", release=GREEN, bucket=saved, fenced=True) as green:
        answer = green.ask("POST", "/rehearsal", predecessor=BLUE)
    assert (answer.status_code, answer.json()) == (
        422,
        {"error": "state/rooms/lobby.json: not a room's state"},
    )


def test_an_empty_bucket_is_rehearsed_at_once(bucket: Bucket) -> None:
    """A first release has nothing to read."""
    with launch("green", bucket=bucket) as green:
        answer = green.ask("POST", "/rehearsal", predecessor="")
        assert answer.status_code == 400
        answer = green.ask("POST", "/rehearsal", predecessor=BLUE)
        assert (answer.status_code, answer.json()) == (200, {"rooms": 0, "objects": 0, "bytes": 0})


def test_s3_that_does_not_answer_is_neither_readable_nor_unreadable(relayed: Bucket, relay: Relay) -> None:
    """503: ask again."""
    with launch("green", bucket=relayed) as green:
        relay.cut()
        assert green.ask("POST", "/rehearsal", predecessor=BLUE).status_code == 503
        relay.restore()
        assert green.ask("POST", "/rehearsal", predecessor=BLUE).status_code == 200


def test_a_machine_without_a_bucket_cannot_rehearse() -> None:
    """503, with the variable that is missing."""
    with launch("alone") as machine:
        answer = machine.ask("POST", "/rehearsal", predecessor=BLUE)
    assert answer.status_code == 503
    assert "BLUEGREEN_STATE_BUCKET" in answer.json()["error"]


class CountingStore(SlowStore):
    """Notes how many rooms were being read at the same time."""

    reading = most = 0

    async def call(self, work):
        self.reading += 1
        self.most = max(self.most, self.reading)
        try:
            return await super().call(work)
        finally:
            self.reading -= 1


@pytest.mark.anyio
async def test_a_rehearsal_reads_a_few_rooms_at_a_time() -> None:
    """Memory and threads are bounded, however many rooms there are."""
    settings, bucket = Settings.from_env({}, started_at=0.0), MemoryBucket()
    s3 = over(bucket, settings)
    for number in range(100):
        s3.save(f"room-{number}", Stamp(1, 1), [Edit("e", "text")])
    store = CountingStore(settings, bucket)
    assert (await rehearse(store.as_store)).rooms == 100
    assert store.most == AT_ONCE
