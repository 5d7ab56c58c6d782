"""Where a deployment stands, written on the machines themselves: the journal is the world.

Pulumi's state cannot keep it (a killed ``up`` loses its state and leaves the provider running), so release, cutover and
role are in each machine's metadata, written with its creation in one call. Machines without it are not ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from providers.bluegreen.model import Cutover, DrainMark, Ownership, Release, Warm
from providers.bluegreen.scene import Intent
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_gates import (
    CommandProof,
    Drain,
    HttpProof,
    ManifestProof,
    MarkerProof,
    StateProof,
    StopDrain,
)

COMPONENT = "bluegreen_component"
RELEASE = "bluegreen_release"
GENERATION = "bluegreen_generation"
CUTOVER = "bluegreen_cutover"
STATE_STORE = "bluegreen_state_store"
SERVING = "bluegreen_serving"
OWNER = "bluegreen_owner"
APP_CREATED = "bluegreen_app_created"
INGRESS = "bluegreen_ingress"
ADDED = "bluegreen_added"
COUNTS = "bluegreen_counts"
DRAIN = "bluegreen_drain"
DRAINING = "bluegreen_draining"
STATE_PROOF = "bluegreen_state_proof"
WARM = "bluegreen_warm"
SECRETS_OF = "bluegreen_secrets_of"
APPROVAL_UNTIL = "bluegreen_approval_until"
TASK = "bluegreen_task"
FLY_RELEASE = "fly_release_id"
RELEASE_COMMAND = "release-command"

_DRAIN: TypeAdapter[Drain] = TypeAdapter(Drain)
_MARK = TypeAdapter(DrainMark)


@dataclass(frozen=True)
class Entry:
    """What a machine's metadata says of it. Times in epoch seconds."""

    release: Release
    cutover: Cutover
    state_store: str
    state_proof: StateProof
    drain: Drain
    draining: DrainMark | None
    serving: int
    owner: Ownership | None
    warm: Warm | None
    secrets_of: str
    approval_until: float
    app_created: bool
    added: bool
    counts: tuple[tuple[str, int], ...]
    task: str


def identify(metadata: Mapping[str, str], app: str) -> Entry | None:
    """The entry of one of our machines; ``None`` for anybody else's."""
    release = Release.parse(metadata.get(RELEASE, ""))
    if metadata.get(COMPONENT) != app or release is None:
        return None
    return Entry(
        release,
        cutover="overlap" if metadata.get(CUTOVER) == "overlap" else "handoff",
        state_store=metadata.get(STATE_STORE, ""),
        state_proof=_proof(metadata.get(STATE_PROOF, "")),
        drain=_drain(metadata.get(DRAIN, "")),
        draining=_mark(metadata.get(DRAINING, "")),
        serving=int(_number(metadata.get(SERVING, ""))),
        owner=Ownership.parse(metadata.get(OWNER, "")),
        warm=_warm(metadata.get(WARM, "")),
        secrets_of=metadata.get(SECRETS_OF, ""),
        approval_until=_number(metadata.get(APPROVAL_UNTIL, "")),
        app_created=metadata.get(APP_CREATED) == "true",
        added=metadata.get(ADDED) == "true",
        counts=_counts(metadata.get(COUNTS, "")),
        task=metadata.get(TASK, ""),
    )


def _number(text: str) -> float:
    """A whole number of at most ten digits, else 0: somebody may have written anything."""
    return float(text) if re.fullmatch(r"\d{1,10}", text, re.ASCII) else 0.0


def _counts(text: str) -> tuple[tuple[str, int], ...]:
    """``"ams=2 iad=1"`` → machines by region; what is none of it says nothing."""
    return tuple(
        (region, int(count)) for region, count in re.findall(r"([a-z]{3})=([1-9]\d{0,3})(?!\S)", text)
    )


def warm_text(warm: Warm) -> str:
    """The mark of a cluster that is kept, as metadata holds it."""
    return f"{warm.until:.0f} {warm.number}"


def _warm(text: str) -> Warm | None:
    until, _, number = text.partition(" ")
    return Warm(_number(until), int(_number(number))) if _number(until) and _number(number) else None


def _drain(text: str) -> Drain:
    """How it drains; one that says nothing that is understood is stopped, as Fly does it."""
    try:
        return _DRAIN.validate_json(text)
    except ValidationError:
        return StopDrain()


def mark_text(mark: DrainMark) -> str:
    """The mark as metadata holds it."""
    return _MARK.dump_json(mark, exclude_none=True).decode()


def _mark(text: str) -> DrainMark | None:
    """A mark that nobody can read is a mark all the same: the machine may have quiesced."""
    try:
        return _MARK.validate_json(text) if text else None
    except ValidationError:
        return DrainMark("unreadable")


def _proof(text: str) -> StateProof:
    """What proves its state: the deployer's own ways (http, command) keep their details in its configuration."""
    kind, _, key = text.partition(" ")
    if kind == "marker" and key:
        return MarkerProof(type="marker", key=key)
    if kind == "http":
        return HttpProof(type="http", url="http://of.configuration")
    if kind == "command":
        return CommandProof(type="command", argv=("of", "configuration"))
    return ManifestProof()


def _proof_text(spec: Spec) -> str:
    key = spec.state_proof.key if isinstance(spec.state_proof, MarkerProof) else ""
    return f"{spec.state_proof.type} {key}".rstrip()


def metadata_of(intent: Intent, *, app_created: bool) -> dict[str, str]:
    """What a new machine of green carries. Fly's own keys keep ``fly status`` and a later ``fly deploy`` working."""
    spec, release = intent.spec, intent.release
    return {
        COMPONENT: spec.app,
        RELEASE: str(release),
        GENERATION: str(release.generation),
        CUTOVER: intent.cutover,
        APP_CREATED: str(app_created).lower(),
        ADDED: str(intent.goal == "scale").lower(),
        COUNTS: " ".join(f"{region}={count}" for region, count in sorted(spec.regions.items())),
        STATE_STORE: spec.state_store.location if spec.state_store else "",
        STATE_PROOF: _proof_text(spec),
        DRAIN: spec.drain.model_dump_json(),
        "fly_platform_version": "v2",
        "fly_process_group": "app",
        FLY_RELEASE: str(release),
        "fly_release_version": str(release.generation),
        **({INGRESS: intent.ingress} if intent.ingress else {}),
    }


def task_metadata(spec: Spec, release: Release, task: str) -> dict[str, str]:
    """What a short-lived machine carries, so that one which a killed run left is found and removed.

    The process groups are flyctl's own for such machines: ``fly status`` knows that they are none of the app's.
    """
    group = "fly_app_release_command" if task == RELEASE_COMMAND else "fly_app_test_machine_command"
    return {
        COMPONENT: spec.app,
        RELEASE: str(release),
        TASK: task,
        "fly_platform_version": "v2",
        "fly_process_group": group,
    }


def environment_of(intent: Intent) -> dict[str, str]:
    """What a machine's process is told: its release, where the state is, and whether it has to wait for it."""
    spec, release = intent.spec, intent.release
    told = {
        "BLUEGREEN_RELEASE": str(release),
        "BLUEGREEN_GENERATION": str(release.generation),
        "BLUEGREEN_CUTOVER": intent.cutover,
    }
    if intent.goal == "scale" and intent.cutover == "handoff" and spec.state_store:
        told["BLUEGREEN_ADDED"] = "true"
    if spec.state_store:
        told["BLUEGREEN_STATE_BUCKET"] = spec.state_store.bucket
        told["BLUEGREEN_STATE_PREFIX"] = spec.state_store.prefix
    return told
