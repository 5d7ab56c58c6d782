"""The proof that state is saved, against S3 over its real protocol."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
import pytest

from providers.bluegreen.model import MachineSeen, Proof, Release
from providers.gates.faults import MOST_FAULTS
from providers.gates.s3 import S3Store, open_store
from providers.gates.saved_state import CONCURRENCY, manifest_etag, manifest_key, prove_saved
from providers.gates.store import Head, StateStore, StoreError
from tests import virtual_time
from tests.s3.fixtures import REGION

MACHINE = MachineSeen(
    id="148e21ea7d5e38",
    name="rooms-g1-ams-1",
    release=Release(1, "3fa9c1d20e"),
    region="ams",
    state="stopped",
    cordoned=True,
    instance_id="01HZ",
    started_at=1_000.0,
    stop_asked_at=1_009.0,
    exited_at=1_011.0,
)
ALIVE = replace(MACHINE, state="started", stop_asked_at=0.0, exited_at=0.0)


def manifest(saved: list[dict[str, Any]], **changes: Any) -> bytes:
    known = {
        "version": 1,
        "release": str(MACHINE.release),
        "machine_id": MACHINE.id,
        "instance_id": MACHINE.instance_id,
        "started_at": 1_000.1,
        "saved_at": 1_010.0,
        "objects": saved,
        "counts": {"rooms": len(saved), "edits": 10 * len(saved)},
    }
    return json.dumps(known | changes).encode()


def put(store: S3Store, key: str, content: bytes) -> str:
    return store.client.put_object(Bucket=store.bucket, Key=key, Body=content)["ETag"]


def save(store: S3Store, rooms: int = 3, **changes: Any) -> list[str]:
    """What an app does when it is drained; answers the keys of its rooms."""
    keys = [f"p/rooms/{index}.json" for index in range(rooms)]
    objects = [{"key": key, "etag": put(store, key, key.encode()), "bytes": len(key)} for key in keys]
    put(store, manifest_key("p/", MACHINE), manifest(objects, **changes))
    return keys


def prove(store: StateStore, machine: MachineSeen = MACHINE, **drain: str) -> Proof:
    return anyio.run(partial(prove_saved, store, "p/", machine, **drain))


def faults(store: StateStore, machine: MachineSeen = MACHINE, **drain: str) -> str:
    """What the proof lacks; empty when it holds."""
    return " ".join(prove(store, machine, **drain).faults)


class TestObjects:
    def test_what_was_saved_is_proven_with_its_figures(self, store: S3Store) -> None:
        """Rooms, objects and bytes of the manifest, each object asked for by its ETag."""
        keys = save(store)
        assert prove(store) == Proof(MACHINE.id, rooms=3, objects=3, bytes=sum(map(len, keys)))

    def test_an_empty_machine_is_proven_by_its_empty_manifest(self, store: S3Store) -> None:
        """A machine without rooms still has to say so."""
        assert "no manifest at p/manifests/1-3fa9c1d20e/148e21ea7d5e38.json" in faults(store)
        save(store, rooms=0)
        assert prove(store).holds

    def test_an_object_that_is_gone_or_was_overwritten_is_named(self, store: S3Store) -> None:
        """The manifest alone proves nothing: every object is asked for, and each fault names machine and room."""
        gone, overwritten, _ = save(store)
        store.client.delete_object(Bucket=store.bucket, Key=gone)
        put(store, overwritten, b"late write")
        told = faults(store)
        assert f"machine {MACHINE.id} (rooms-g1-ams-1): {gone} is not in the store" in told
        assert f"{overwritten} is not what was saved" in told

    def test_another_size_is_not_what_was_saved(self, store: S3Store) -> None:
        """Where a server's ETag is no checksum, the size still tells."""
        etag = put(store, "p/rooms/0.json", b"half")
        put(
            store,
            manifest_key("p/", MACHINE),
            manifest([{"key": "p/rooms/0.json", "etag": etag, "bytes": 8}]),
        )
        assert "p/rooms/0.json has 4 bytes, saved as 8" in faults(store)

    def test_a_long_list_of_faults_is_cut(self, store: S3Store) -> None:
        """A thousand lost rooms are told as a bounded list that says how many more there are."""
        for key in save(store, rooms=MOST_FAULTS + 5):
            store.client.delete_object(Bucket=store.bucket, Key=key)
        told = prove(store).faults
        assert len(told) == MOST_FAULTS + 1
        assert told[-1].endswith("and 5 more")

    def test_an_object_counts_once(self, store: S3Store) -> None:
        """A manifest that names a room twice proves fewer rooms than it says."""
        etag = put(store, "p/rooms/0.json", b"room")
        twice = [{"key": "p/rooms/0.json", "etag": etag, "bytes": 4}] * 2
        put(store, manifest_key("p/", MACHINE), manifest(twice))
        assert "p/rooms/0.json is in the manifest 2 times" in faults(store)

    def test_an_object_of_somebody_else_proves_nothing(self, store: S3Store) -> None:
        """Only what is under the app's own prefix can be its state."""
        save(store, objects=[{"key": "q/rooms/0.json", "etag": '"x"', "bytes": 1}])
        assert "q/rooms/0.json is not under the prefix p/" in faults(store)


class TestManifests:
    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"release": "2-3fa9c1d20e"}, "is of release 2-3fa9c1d20e, not 1-3fa9c1d20e"),
            ({"machine_id": "17811953c92e18"}, "is of machine 17811953c92e18"),
            ({"instance_id": "01AA"}, "is of instance 01AA"),
            ({"started_at": 900.0}, "earlier boot"),
            ({"saved_at": 1_000.0}, "before its machine was started"),
            ({"saved_at": 1_020.0}, "after its machine had exited"),
            ({"saved_at": 1_002.0}, "older than the stop"),
            ({"release": "\x1b[31m"}, "is of release �[31m"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_only_this_boots_last_save_counts(
        self, store: S3Store, changes: dict[str, Any], fault: str
    ) -> None:
        """Another release's, machine's, version's or boot's manifest is refused, and one of an impossible time."""
        save(store)
        assert prove(store).holds
        save(store, **changes)
        assert fault in faults(store)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe", b'{"objects": 1e999}']
    )
    def test_any_content_is_refused_without_breaking(self, store: S3Store, content: bytes) -> None:
        """Hostile bytes are a fault that names the key, never an exception."""
        put(store, manifest_key("p/", MACHINE), content)
        assert "is not a manifest" in faults(store)

    def test_what_a_manifest_says_is_safe_to_print(self, store: S3Store) -> None:
        """Its keys reach a terminal without control characters, and cut."""
        save(store, objects=[{"key": "p/\x1b]0;\x07" + "x" * 5000, "etag": '"\x1b[2J"', "bytes": 1}])
        told = prove(store).faults
        assert told
        assert all(fault.isprintable() and len(fault) < 1000 for fault in told)


class TestDrains:
    def test_a_requests_manifest_carries_its_id(self, store: S3Store) -> None:
        """A manifest of the drain before, or of none, does not answer this one."""
        save(store, drain="d1")
        assert prove(store, ALIVE, drain="d1").holds
        assert "is of drain d1, not d2" in faults(store, ALIVE, drain="d2")
        save(store, drain=None)
        assert "is of drain None, not d2" in faults(store, ALIVE, drain="d2")

    def test_a_request_may_have_saved_before_the_stop(self, store: S3Store) -> None:
        """A machine that saved on request and was stopped long after writes nothing again."""
        save(store, drain="d1")
        stopped = replace(MACHINE, stop_asked_at=1_100.0, exited_at=1_101.0)
        assert prove(store, stopped, drain="d1").holds
        assert "older than the stop" in faults(store, stopped)

    def test_a_signals_manifest_is_another_than_before(self, store: S3Store) -> None:
        """The one that was there before the signal proves nothing of what was edited since."""
        save(store)
        before = anyio.run(manifest_etag, store, "p/", ALIVE)
        assert before
        assert "was not written again" in faults(store, ALIVE, before=before)
        save(store, saved_at=1_011.0)
        assert prove(store, ALIVE, before=before).holds

    def test_before_the_first_signal_there_is_no_manifest(self, store: S3Store) -> None:
        """Then any manifest of this boot is the drain's, also after a later stop."""
        assert anyio.run(manifest_etag, store, "p/", MACHINE) is None
        save(store)
        assert prove(store, replace(MACHINE, stop_asked_at=1_100.0, exited_at=1_101.0), before="").holds

    def test_a_living_machine_cannot_save_in_the_future(self, store: S3Store) -> None:
        """S3's own clock says when the manifest was written; a minute is left for the machine's clock."""
        now = time.time()
        save(store, started_at=now - 10, saved_at=now + 30)
        assert prove(store, ALIVE).holds
        save(store, started_at=now - 10, saved_at=now + 300)
        assert "after it was written to the store" in faults(store, ALIVE)


class TestUnknown:
    def test_a_store_that_does_not_answer_proves_nothing(self, store: S3Store) -> None:
        """A bucket that is not there, and an endpoint where nobody listens, are faults and not absences."""
        save(store)
        absent = replace(store, bucket="no-such-bucket")
        assert "cannot be read" in faults(absent)
        with pytest.raises(StoreError):
            anyio.run(manifest_etag, absent, "p/", MACHINE)
        nobody = open_store(store.bucket, endpoint_url="http://127.0.0.1:9", region=REGION)
        assert "cannot be read" in faults(nobody)
        with pytest.raises(StoreError):
            anyio.run(manifest_etag, nobody, "p/", MACHINE)


@dataclass
class Counting:
    """A bucket that counts how many questions are open at a time, and who else is at work."""

    content: bytes
    down: bool = False
    asked: int = 0
    open: int = 0
    most_open: int = 0
    most_tasks: int = 0
    known: dict[str, Head] = field(default_factory=dict)

    async def read(self, key: str) -> bytes | None:
        return self.content

    async def head(self, key: str) -> Head | None:
        if "manifests/" in key:
            return Head('"m"', 1, 2_000.0)
        self.asked += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        if self.asked % 1000 == 1:
            self.most_tasks = max(self.most_tasks, len(anyio.get_running_tasks()))
        with anyio.move_on_after(0.01):
            await anyio.sleep_forever()
        self.open -= 1
        if self.down:
            raise StoreError(f"{key}: nobody listens")
        return Head('"e"', 1, 2_000.0)

    async def list(self, prefix: str) -> tuple[str, ...]:
        return ()

    async def create(self, key: str, body: bytes) -> bool:
        return False


class TestMany:
    MANY = 10_000

    def big(self, down: bool = False) -> Counting:
        objects = [{"key": f"p/rooms/{index}.json", "etag": '"e"', "bytes": 1} for index in range(self.MANY)]
        return Counting(manifest(objects), down)

    def test_many_objects_are_asked_for_a_few_at_a_time(self) -> None:
        """All are asked for, with as many tasks as questions: not one task for each object."""
        store = self.big()
        proof = virtual_time.run(partial(prove_saved, store, "p/", MACHINE))
        assert (proof.objects, proof.faults, store.asked) == (self.MANY, (), self.MANY)
        assert store.most_open == CONCURRENCY
        assert store.most_tasks < 2 * CONCURRENCY

    def test_a_store_that_is_down_is_not_asked_for_everything(self) -> None:
        """After some silent objects the rest is told as a number, instead of the whole phase's deadline."""
        store = self.big(down=True)
        proof = virtual_time.run(partial(prove_saved, store, "p/", MACHINE))
        assert store.asked < MOST_FAULTS + CONCURRENCY
        assert any("more objects were not looked at" in fault for fault in proof.faults)
