"""The proof that a machine's state is in S3: its manifest, and every object that the manifest names.

An app writes ``<prefix>manifests/<release>/<machine id>.json`` as the last thing of a drain. The deployer reads it back
and asks S3 for every object's ETag, so that neither an old manifest nor an overwritten object passes for a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
from pydantic import ValidationError

from providers.bluegreen.model import MachineSeen, Proof
from providers.gates.faults import MOST_FAULTS, failed, shown
from providers.gates.manifest import Expected, Manifest, ManifestObject, find_faults
from providers.gates.store import Head, StateStore, StoreError

CONCURRENCY = 16
"""How many objects are asked for at a time."""


def manifest_key(prefix: str, machine: MachineSeen) -> str:
    """Where this machine writes its manifest."""
    return f"{prefix}manifests/{machine.release}/{machine.id}.json"


async def manifest_etag(store: StateStore, prefix: str, machine: MachineSeen) -> str | None:
    """The ETag of the machine's manifest, None without one. Raises ``StoreError``."""
    head = await store.head(manifest_key(prefix, machine))
    return head.etag if head else None


async def prove_saved(
    store: StateStore,
    prefix: str,
    machine: MachineSeen,
    *,
    drain: str | None = None,
    before: str | None = None,
) -> Proof:
    """Read the machine's manifest and check every object it names. Never raises: what went wrong is a fault.

    ``drain``: the id of the drain request that the manifest must answer. ``before``: its ETag as it was before a drain
    by signal ("" where there was none), so it must be another one. Without either, its stop is what drained it.
    """
    key = manifest_key(prefix, machine)
    try:
        head, content = await _head_and_content(store, key)
    except StoreError as error:
        return failed(machine, [f"cannot be read: {error}"])
    if head is None or content is None:
        return failed(machine, [f"no manifest at {key}"])
    if before is not None and head.etag == before:
        return failed(machine, [f"{key} was not written again since the drain began"])
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        return failed(machine, [f"{key} is not a manifest: {error.errors(include_input=False)[0]['msg']}"])
    expected = Expected(machine, prefix, drain, before)
    faults = list(find_faults(manifest, expected, head.modified))
    if faults:
        return failed(machine, faults)
    return await _prove_objects(store, machine, manifest)


async def _head_and_content(store: StateStore, key: str) -> tuple[Head | None, bytes | None]:
    """In this order: what is read is then not older than what the ETag and the time were told of."""
    head = await store.head(key)
    return head, await store.read(key) if head else None


async def _prove_objects(store: StateStore, machine: MachineSeen, manifest: Manifest) -> Proof:
    check = _Check(store)
    faults = await check.find_faults(manifest.objects)
    if faults:
        return failed(machine, faults)
    return Proof(
        machine.id,
        rooms=manifest.counts.get("rooms", 0),
        objects=len(manifest.objects),
        bytes=sum(item.bytes for item in manifest.objects),
    )


@dataclass
class _Check:
    """Asks for many objects, a bounded number at a time. ``unread``: how many could not be asked for."""

    store: StateStore
    faults: list[str] = field(default_factory=list)
    unread: int = 0

    async def find_faults(self, objects: Sequence[ManifestObject]) -> list[str]:
        """A store that is down is not asked for 100,000 objects, each with its own retries."""
        rest = iter(objects)

        async def work() -> None:
            while self.unread < MOST_FAULTS and (item := next(rest, None)):
                await self._look_at(item)

        async with anyio.create_task_group() as group:
            for _ in range(min(CONCURRENCY, len(objects))):
                group.start_soon(work)
        left = len(list(rest))
        return self.faults + ([f"{left:,} more objects were not looked at"] if left else [])

    async def _look_at(self, item: ManifestObject) -> None:
        try:
            head = await self.store.head(item.key)
        except StoreError as error:
            self.unread += 1
            self.faults.append(f"cannot be read: {error}")
        else:
            self.faults += _differences(item, head)


def _differences(item: ManifestObject, head: Head | None) -> list[str]:
    key = shown(item.key)
    if head is None:
        return [f"{key} is not in the store"]
    if head.etag.strip('"') != item.etag.strip('"'):
        return [f"{key} is not what was saved: ETag {shown(head.etag)}, saved as {shown(item.etag)}"]
    if head.bytes != item.bytes:
        return [f"{key} has {head.bytes} bytes, saved as {item.bytes}"]
    return []
