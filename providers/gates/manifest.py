"""What an app says that it saved, and whether it says so of this machine, this boot and this drain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, FiniteFloat

from providers.bluegreen.model import MachineSeen
from providers.gates.faults import shown

CLOCK_SLACK_S = 2.0
"""How far the app's clock may seem from its machine's events; both are on one host."""
EXIT_SLACK_S = 10.0
"""How long an app that ends by itself may take to exit after its last save: it closes what is open."""
S3_CLOCK_SLACK_S = 60.0
"""How far a machine's clock may be ahead of S3's, on hosts that have nothing to do with each other."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
"""JSON knows greater ones, of thousands of digits."""


class ManifestObject(BaseModel):
    """One saved object: its full key, the ETag that S3 answered to the write, its size."""

    key: str
    etag: str
    bytes: Count


class Manifest(BaseModel):
    """What an app says it saved. Times in seconds since the epoch, by the machine's own clock.

    ``drain``: the id of the drain request that it answers; None for a stop or a signal.
    """

    version: Literal[1]
    release: str
    machine_id: str
    instance_id: str
    started_at: FiniteFloat
    saved_at: FiniteFloat
    drain: str | None = None
    objects: list[ManifestObject]
    counts: dict[str, Count] = {}


@dataclass(frozen=True)
class Expected:
    """What a manifest must be of.

    ``drain``: the id of a drain request. ``before``: the ETag before a drain by signal. Both None: a drain by stop.
    """

    machine: MachineSeen
    prefix: str
    drain: str | None = None
    before: str | None = None

    @property
    def by_stop(self) -> bool:
        return self.drain is None and self.before is None


def find_faults(manifest: Manifest, expected: Expected, modified: float) -> Iterator[str]:
    """Why the manifest proves nothing; ``modified`` is when S3 got it, in seconds since the epoch by S3's clock."""
    yield from _of_another(manifest, expected)
    yield from _at_another_time(manifest, expected, modified)
    yield from _wrong_keys(manifest, expected.prefix)


def _of_another(manifest: Manifest, expected: Expected) -> Iterator[str]:
    machine = expected.machine
    for what, told, wanted in (
        ("release", manifest.release, str(machine.release)),
        ("machine", manifest.machine_id, machine.id),
        ("instance", manifest.instance_id, machine.instance_id),
        ("drain", manifest.drain, expected.drain),
    ):
        if wanted is not None and told != wanted:
            yield f"the manifest is of {what} {shown(str(told))}, not {wanted}"


def _at_another_time(manifest: Manifest, expected: Expected, modified: float) -> Iterator[str]:
    machine, saved_at = expected.machine, manifest.saved_at
    if manifest.started_at < machine.started_at - CLOCK_SLACK_S:
        yield "the manifest was written by an earlier boot of this machine"
    if saved_at < manifest.started_at:
        yield "the manifest was saved before its machine was started"
    if machine.exited_at and saved_at > machine.exited_at + CLOCK_SLACK_S:
        yield "the manifest says that it was saved after its machine had exited"
    if not machine.exited_at and saved_at > modified + S3_CLOCK_SLACK_S:
        yield "the manifest says that it was saved after it was written to the store"
    if machine.exited_at and expected.by_stop:
        yield from _before_its_end(manifest, machine)


def _before_its_end(manifest: Manifest, machine: MachineSeen) -> Iterator[str]:
    """Why it is not of the end of a machine that no drain has marked: a drain that was taken back leaves its manifest.

    Where nobody asked the machine to stop, only its exit is known. What it saved then, by itself, is the last thing
    that it did, and answers no request.
    """
    if machine.stop_asked_at:
        if manifest.saved_at < machine.stop_asked_at - CLOCK_SLACK_S:
            yield "the manifest is older than the stop: it is of a drain that was taken back"
        return
    if manifest.drain is not None or manifest.saved_at < machine.exited_at - _exits_within_s(machine):
        yield (
            "it ended without being asked to, and its manifest is of before: what it took since is not proven to be "
            "saved. It is started again from what it saved last, and the next run drains it; "
            f"`fly machine destroy {machine.id}` goes on without it"
        )


def _exits_within_s(machine: MachineSeen) -> float:
    """A signal's manifest has no id: there nothing but its time tells it from one that was saved at the exit."""
    return CLOCK_SLACK_S if machine.drain.type == "signal" else EXIT_SLACK_S


def _wrong_keys(manifest: Manifest, prefix: str) -> Iterator[str]:
    foreign = next((item.key for item in manifest.objects if not item.key.startswith(prefix)), None)
    if foreign is not None:
        yield f"{shown(foreign)} is not under the prefix {prefix}"
    counted = Counter(item.key for item in manifest.objects)
    for key in (key for key, times in counted.items() if times > 1):
        yield f"{shown(key)} is in the manifest {counted[key]} times"
