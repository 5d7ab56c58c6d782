"""Where a deployment stands, written on the machines themselves: the journal is the world.

Pulumi's state cannot keep it (a killed ``up`` loses its state and leaves the provider running), so release, cutover and
role are in each machine's metadata, written with its creation in one call. Machines without it are not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.bluegreen.model import Cutover, Release
from providers.bluegreen.scene import Intent
from providers.bluegreen.spec import Spec

COMPONENT = "bluegreen_component"
RELEASE = "bluegreen_release"
GENERATION = "bluegreen_generation"
CUTOVER = "bluegreen_cutover"
STATE_STORE = "bluegreen_state_store"
SERVING = "bluegreen_serving"
OWNER = "bluegreen_owner"
APP_CREATED = "bluegreen_app_created"


@dataclass(frozen=True)
class Entry:
    """What a machine's metadata says of it."""

    release: Release
    cutover: Cutover
    state_store: str
    serving: bool
    owner: str
    app_created: bool


def identify(metadata: Mapping[str, str], app: str) -> Entry | None:
    """The entry of one of our machines; ``None`` for anybody else's."""
    release = Release.parse(metadata.get(RELEASE, ""))
    if metadata.get(COMPONENT) != app or release is None:
        return None
    cutover: Cutover = "overlap" if metadata.get(CUTOVER) == "overlap" else "handoff"
    return Entry(
        release,
        cutover,
        state_store=metadata.get(STATE_STORE, ""),
        serving=metadata.get(SERVING) == "true",
        owner=metadata.get(OWNER, ""),
        app_created=metadata.get(APP_CREATED) == "true",
    )


def metadata_of(intent: Intent, *, app_created: bool) -> dict[str, str]:
    """What a new machine of green carries. Fly's own keys keep ``fly status`` and a later ``fly deploy`` working."""
    spec, release = intent.spec, intent.release
    return {
        COMPONENT: spec.app,
        RELEASE: str(release),
        GENERATION: str(release.generation),
        CUTOVER: intent.cutover,
        APP_CREATED: str(app_created).lower(),
        STATE_STORE: spec.state_store.location if spec.state_store else "",
        "fly_platform_version": "v2",
        "fly_process_group": "app",
        "fly_release_id": str(release),
        "fly_release_version": str(release.generation),
    }


def environment_of(spec: Spec, release: Release) -> dict[str, str]:
    """What a machine's process is told: its release, and where the state is."""
    told = {"BLUEGREEN_RELEASE": str(release), "BLUEGREEN_GENERATION": str(release.generation)}
    if spec.state_store:
        told["BLUEGREEN_STATE_BUCKET"] = spec.state_store.bucket
        told["BLUEGREEN_STATE_PREFIX"] = spec.state_store.prefix
    return told
