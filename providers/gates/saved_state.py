"""The proof that a stopped machine's state is in S3: its manifest, and every object that the manifest names.

An app writes ``<prefix>manifests/<release>/<machine id>.json`` as the last thing before it exits. The deployer reads it
back and asks S3 for every object's ETag, so that neither an old manifest nor an overwritten object passes for a proof.
"""

from __future__ import annotations

from typing import Literal

import anyio
from pydantic import BaseModel, FiniteFloat, NonNegativeInt, ValidationError

from providers.bluegreen.model import MachineSeen, Proof
from providers.gates.store import StateStore, StoreError

CLOCK_SLACK_S = 2.0
"""The app's start by its own clock may seem this much older than its machine's start event; both are on one host."""
MOST_FAULTS = 20


class ManifestObject(BaseModel):
    """One saved object: its full key, the ETag that S3 answered to the write, its size."""

    key: str
    etag: str
    bytes: NonNegativeInt


class Manifest(BaseModel):
    """What an app says it saved. Times in seconds since the epoch, by the machine's own clock."""

    version: Literal[1]
    release: str
    machine_id: str
    instance_id: str
    started_at: FiniteFloat
    saved_at: FiniteFloat
    objects: list[ManifestObject]
    counts: dict[str, NonNegativeInt] = {}


def manifest_key(prefix: str, machine: MachineSeen) -> str:
    """Where this machine writes its manifest."""
    return f"{prefix}manifests/{machine.release}/{machine.id}.json"


async def prove_saved(store: StateStore, prefix: str, machine: MachineSeen) -> Proof:
    """Read the machine's manifest and check every object it names. Never raises: what went wrong is a fault."""
    key = manifest_key(prefix, machine)
    try:
        content = await store.read(key)
    except StoreError as error:
        return _failed(machine, f"cannot be read: {error}")
    if content is None:
        return _failed(machine, f"no manifest at {key}")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        return _failed(machine, f"{key} is not a manifest: {error.errors(include_input=False)[0]['msg']}")
    faults = _wrong_manifest(manifest, machine, prefix)
    if faults:
        return _failed(machine, *faults)
    return await _prove_objects(store, machine, manifest)


def _failed(machine: MachineSeen, *faults: str) -> Proof:
    return Proof(
        machine.id, faults=tuple(f"machine {machine.id} ({machine.name}): {fault}" for fault in faults)
    )


def _wrong_manifest(manifest: Manifest, machine: MachineSeen, prefix: str) -> list[str]:
    """A manifest proves something only if this very process wrote it: same release, machine, version and boot."""
    faults = []
    for what, told, expected in (
        ("release", manifest.release, str(machine.release)),
        ("machine", manifest.machine_id, machine.id),
        ("instance", manifest.instance_id, machine.instance_id),
    ):
        if told != expected:
            faults.append(f"the manifest is of {what} {told}, not {expected}")
    if manifest.started_at < machine.started_at - CLOCK_SLACK_S:
        faults.append("the manifest was written by an earlier boot of this machine")
    if manifest.saved_at < manifest.started_at:
        faults.append("the manifest was saved before its machine was started")
    foreign = next((item.key for item in manifest.objects if not item.key.startswith(prefix)), None)
    if foreign is not None:
        faults.append(f"{foreign} is not under the prefix {prefix}")
    return faults


async def _prove_objects(store: StateStore, machine: MachineSeen, manifest: Manifest) -> Proof:
    faults: list[str] = []

    async def check(item: ManifestObject) -> None:
        try:
            head = await store.head(item.key)
        except StoreError as error:
            faults.append(f"cannot be read: {error}")
            return
        if head is None:
            faults.append(f"{item.key} is not in the store")
        elif head.etag.strip('"') != item.etag.strip('"'):
            faults.append(f"{item.key} is not what was saved: ETag {head.etag}, saved as {item.etag}")
        elif head.bytes != item.bytes:
            faults.append(f"{item.key} has {head.bytes} bytes, saved as {item.bytes}")

    async with anyio.create_task_group() as group:
        for item in manifest.objects:
            group.start_soon(check, item)
    if faults:
        return _failed(machine, *sorted(faults)[:MOST_FAULTS])
    return Proof(
        machine.id,
        rooms=manifest.counts.get("rooms", 0),
        objects=len(manifest.objects),
        bytes=sum(item.bytes for item in manifest.objects),
    )
