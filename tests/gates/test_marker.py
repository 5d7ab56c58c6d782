"""The proof by a marker, against S3 over its real protocol: an object that was written since the drain began."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from providers.bluegreen.model import MachineSeen, Proof, Release
from providers.gates.marker import mark_before, marker_key, prove_marker
from providers.gates.s3 import S3Store, open_store
from providers.gates.store import StoreError
from tests.s3.fixtures import REGION

MACHINE = MachineSeen("148e21ea7d5e38", "rooms-g1-ams-1", Release(1, "3fa9c1d20e"), "ams", "stopped", True)
KEY = "p/saved/148e21ea7d5e38"


def put(store: S3Store, content: bytes) -> None:
    store.client.put_object(Bucket=store.bucket, Key=KEY, Body=content)


def test_a_marker_that_was_written_since_proves_it(store: S3Store) -> None:
    """Another ETag than before the drain, or one where there was none."""
    assert anyio.run(mark_before, store, KEY) is None
    put(store, b"saved at 10:00")
    assert anyio.run(prove_marker, store, KEY, MACHINE, None) == Proof(MACHINE.id, objects=1, bytes=14)
    before = anyio.run(mark_before, store, KEY)
    put(store, b"saved at 11:00")
    assert anyio.run(prove_marker, store, KEY, MACHINE, before).holds


def test_the_marker_of_the_drain_before_proves_nothing(store: S3Store) -> None:
    """The same object as before the drain, one that is older, and one that is gone: each is a fault with its key."""
    put(store, b"saved at 10:00")
    before = anyio.run(mark_before, store, KEY)
    assert before is not None
    (same,) = anyio.run(prove_marker, store, KEY, MACHINE, before).faults
    assert (
        same
        == f"machine {MACHINE.id} (rooms-g1-ams-1): the marker {KEY} was not written since the drain began"
    )
    newer = replace(before, etag='"another"', modified=before.modified + 5)
    (older,) = anyio.run(prove_marker, store, KEY, MACHINE, newer).faults
    assert f"{KEY} is older" in older
    store.client.delete_object(Bucket=store.bucket, Key=KEY)
    (gone,) = anyio.run(prove_marker, store, KEY, MACHINE, before).faults
    assert f"no marker at {KEY}" in gone


def test_the_same_words_at_a_later_time_are_another_marker(store: S3Store) -> None:
    """An app that writes the same each time is proven by S3's time alone."""
    put(store, b"saved")
    now = anyio.run(mark_before, store, KEY)
    assert now is not None
    assert anyio.run(prove_marker, store, KEY, MACHINE, replace(now, modified=now.modified - 1)).holds


def test_a_store_that_does_not_answer_proves_nothing(store: S3Store) -> None:
    """Neither that there was no marker before nor that there is one now."""
    nobody = open_store(store.bucket, endpoint_url="http://127.0.0.1:9", region=REGION)
    for silent in (nobody, replace(store, bucket="no-such-bucket")):
        with pytest.raises(StoreError):
            anyio.run(mark_before, silent, KEY)
        assert "cannot be read" in anyio.run(prove_marker, silent, KEY, MACHINE, None).faults[0]


def test_each_machine_can_have_its_own_marker() -> None:
    """Two names in the key are replaced, and nothing else in it means anything."""
    assert marker_key("p/", "saved/{release}/{machine_id}", MACHINE) == "p/saved/1-3fa9c1d20e/148e21ea7d5e38"
    assert marker_key("", "saved", MACHINE) == "saved"
    assert marker_key("p/", "{machine_id.__class__}/{0}/{{}}", MACHINE) == "p/{machine_id.__class__}/{0}/{{}}"
