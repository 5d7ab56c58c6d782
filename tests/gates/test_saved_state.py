"""The proof that state is saved, against S3 over its real protocol."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import anyio
import pytest
from moto.server import ThreadedMotoServer

from providers.bluegreen.model import MachineSeen, Proof, Release
from providers.gates.saved_state import MOST_FAULTS, manifest_key, prove_saved
from providers.gates.store import S3Store, StoreError, open_store

MACHINE = MachineSeen(
    id="148e21ea7d5e38",
    name="rooms-g1-ams-1",
    release=Release(1, "3fa9c1d20e"),
    region="ams",
    state="stopped",
    cordoned=True,
    instance_id="01HZ",
    started_at=1_000.0,
)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    finally:
        server.stop()


@pytest.fixture
def store(endpoint: str) -> S3Store:
    """A bucket of its own: moto's buckets outlive its servers within a process."""
    store = open_store(f"rooms-{uuid.uuid4().hex}", endpoint_url=endpoint, region="us-east-1")
    store.client.create_bucket(Bucket=store.bucket)
    return store


def save(store: S3Store, rooms: int = 3, **changes) -> list[str]:
    """What an app does on SIGTERM; answers the keys of its rooms."""
    keys = [f"p/rooms/{index}.json" for index in range(rooms)]
    objects = [
        {
            "key": key,
            "etag": store.client.put_object(Bucket=store.bucket, Key=key, Body=key)["ETag"],
            "bytes": len(key),
        }
        for key in keys
    ]
    manifest = {
        "version": 1,
        "release": str(MACHINE.release),
        "machine_id": MACHINE.id,
        "instance_id": MACHINE.instance_id,
        "started_at": 1_000.1,
        "saved_at": 1_010.0,
        "objects": objects,
        "counts": {"rooms": rooms, "edits": 10 * rooms},
    }
    content = json.dumps(manifest | changes).encode()
    store.client.put_object(Bucket=store.bucket, Key=manifest_key("p/", MACHINE), Body=content)
    return keys


def prove(store: S3Store) -> Proof:
    return anyio.run(prove_saved, store, "p/", MACHINE)


def test_what_was_saved_is_proven_with_its_figures(store: S3Store) -> None:
    """Rooms, objects and bytes of the manifest, each object asked for by its ETag."""
    keys = save(store)
    assert prove(store) == Proof(MACHINE.id, rooms=3, objects=3, bytes=sum(map(len, keys)))


def test_an_empty_machine_is_proven_by_its_empty_manifest(store: S3Store) -> None:
    """A machine without rooms still has to say so."""
    assert not prove(store).holds
    save(store, rooms=0)
    assert prove(store).holds


def test_an_object_that_is_gone_or_was_overwritten_is_named(store: S3Store) -> None:
    """The manifest alone proves nothing: every object is asked for."""
    gone, overwritten, _ = save(store)
    store.client.delete_object(Bucket=store.bucket, Key=gone)
    store.client.put_object(Bucket=store.bucket, Key=overwritten, Body=b"late write")
    faults = " ".join(prove(store).faults)
    assert f"{gone} is not in the store" in faults
    assert f"{overwritten} is not what was saved" in faults


def test_a_long_list_of_faults_is_cut(store: S3Store) -> None:
    """A thousand lost rooms are told as a bounded list."""
    for key in save(store, rooms=MOST_FAULTS + 5):
        store.client.delete_object(Bucket=store.bucket, Key=key)
    assert len(prove(store).faults) == MOST_FAULTS


def test_a_manifest_of_the_boot_before_is_refused(store: S3Store) -> None:
    """A machine that was started again has to save again."""
    save(store, started_at=900.0)
    assert "earlier boot" in prove(store).faults[0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe", b'{"objects": 1e999}'])
def test_any_content_is_refused_without_breaking(store: S3Store, content: bytes) -> None:
    """Hostile bytes are a fault that names the key, never an exception."""
    store.client.put_object(Bucket=store.bucket, Key=manifest_key("p/", MACHINE), Body=content)
    assert "is not a manifest" in prove(store).faults[0]


def test_a_store_that_does_not_answer_proves_nothing(endpoint: str) -> None:
    """A bucket that is not there, and an endpoint where nobody listens, are faults and not absences."""
    absent = open_store("no-such-bucket", endpoint_url=endpoint, region="us-east-1")
    assert "NoSuchBucket" in prove(absent).faults[0]
    nobody = open_store("rooms-state", endpoint_url="http://127.0.0.1:9", region="us-east-1")
    with pytest.raises(StoreError):
        anyio.run(nobody.head, "p/rooms/0.json")
    assert "cannot be read" in prove(nobody).faults[0]
