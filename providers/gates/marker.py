"""The proof of apps that write no manifest: an object that was written since the drain began, by S3's own clock.

S3 tells its times in whole seconds, so an app does well to write something new each time, e.g. the moment of its save.
"""

from __future__ import annotations

from collections.abc import Iterator

from providers.bluegreen.model import MachineSeen, Proof
from providers.gates.faults import failed
from providers.gates.store import Head, StateStore, StoreError


def marker_key(prefix: str, template: str, machine: MachineSeen) -> str:
    """Where this machine's marker is: ``{machine_id}`` and ``{release}`` in the template are its own."""
    key = template.replace("{machine_id}", machine.id).replace("{release}", str(machine.release))
    return prefix + key


async def mark_before(store: StateStore, key: str) -> Head | None:
    """The marker as it is before the drain begins. Raises ``StoreError``: without it nothing can be proven later."""
    return await store.head(key)


async def prove_marker(store: StateStore, key: str, machine: MachineSeen, before: Head | None) -> Proof:
    """Whether the marker was written since. Never raises: what went wrong is a fault."""
    try:
        head = await store.head(key)
    except StoreError as error:
        return failed(machine, [f"cannot be read: {error}"])
    if head is None:
        return failed(machine, [f"no marker at {key}"])
    faults = list(_not_since(key, head, before)) if before else []
    return failed(machine, faults) if faults else Proof(machine.id, objects=1, bytes=head.bytes)


def _not_since(key: str, head: Head, before: Head) -> Iterator[str]:
    if head.modified < before.modified:
        yield f"the marker {key} is older than the one before the drain"
    if (head.etag, head.modified) == (before.etag, before.modified):
        yield f"the marker {key} was not written since the drain began"
