"""Machines that `fly deploy` made: found by Fly's own metadata, taken over as blue where `adopt` says so. Pure.

Fly writes its release on every machine, and so do we. A `fly deploy` that comes after us changes our machines in place,
or copies them, and keeps all metadata but its own keys: so a machine whose Fly release is not the one that we wrote is
Fly's, whatever else it says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.journal import Entry, identify
from providers.bluegreen.model import MachineSeen, Observation, Ownership, Release, Stranger
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from providers.fly.types import Machine

GROUP = "app"
"""The process group of an app that names none, and of our machines."""
FIRST = 1
"""Who served before any commit counts as its first: ours comes after it, and takes the next number."""


def changed_by_fly(metadata: Mapping[str, str]) -> bool:
    """Whether a `fly deploy` has changed a machine that was ours: its release is not the one that we wrote."""
    return metadata.get(journal.FLY_RELEASE, "") not in ("", metadata.get(journal.RELEASE))


def stranger(machine: Machine, app: str) -> Stranger:
    """What a machine that is not ours says of itself."""
    metadata = machine.metadata
    of_fly = metadata.get("fly_platform_version") == "v2" and bool(metadata.get(journal.FLY_RELEASE))
    entry = identify(metadata, app)
    copied = entry is not None and not changed_by_fly(metadata)
    return Stranger(
        id=machine.id,
        name=machine.name,
        region=machine.region,
        group=metadata.get("fly_process_group", ""),
        release=_release(metadata, app) if of_fly and not copied else None,
        was=entry.release if entry and not copied else None,
    )


def entry_of(machine: Machine, spec: Spec) -> Entry | None:
    """A machine of the app's process group as one of ours that says nothing of how it drains; ``None`` for others.

    It is stopped as Fly stops it. It writes no manifest: what proves its state is a marker, http or command, or its
    exit alone.
    """
    found = stranger(machine, spec.app)
    if found.release is None or found.group != GROUP:
        return None
    metadata = {**machine.metadata, journal.COMPONENT: spec.app, journal.RELEASE: str(found.release)}
    for key in (journal.DRAIN, journal.WARM, journal.APP_CREATED, journal.TASK, journal.CUTOVER):
        metadata.pop(key, None)
    entry = identify(metadata, spec.app)
    if entry is None:
        return None
    proof = spec.state_proof
    by_store = spec.state_store is not None and proof.type == "marker"
    return replace(
        entry,
        state_proof=proof,
        state_store=spec.state_store.location if spec.state_store and by_store else "",
        serving=_serving(metadata.get(journal.SERVING, ""), found.release),
    )


def _serving(text: str, release: Release) -> int:
    """What `mark_serving` wrote on it for this very release; what is there of another is of the time before."""
    marked = Ownership.parse(text)
    return marked.number if marked and marked.release == release else FIRST


def _release(metadata: Mapping[str, str], app: str) -> Release:
    """Fly's release as one of ours. Ours of a machine that was changed, or copied, counts on from its generation."""
    entry = identify(metadata, app)
    told = re.sub(r"[^0-9]", "", metadata.get("fly_release_version", ""))[:9]
    nonce = hashlib.sha256(metadata[journal.FLY_RELEASE].encode()).hexdigest()[:4]
    return Release(entry.release.generation if entry else 0, f"fly{told}", nonce)


def refusals(scene: Scene) -> list[str]:
    """Why nothing may be decided about the machines that are not ours. Empty: nothing of them is in the way."""
    observation, adopt = scene.observation, scene.intent.spec.adopt
    changed = [machine for machine in observation.strangers if machine.was]
    adopted = {machine.release for machine in observation.seen if machine.adopted}
    if changed:
        first = changed[0]
        return [
            f"`fly deploy` has changed release {first.was}: {len(changed)} of its machines, machine {first.id} "
            f"({first.name}) among them: adopt: true takes them over as blue"
        ]
    if len(adopted) > 1:
        told = "; ".join(f"{release}: {_ids(observation, release)}" for release in sorted(adopted))
        return [
            f"a `fly deploy` was left half-done, its machines are of several releases ({told}): finish it first"
        ]
    half = [
        machine
        for machine in observation.seen
        if not machine.adopted and machine.release in _was(observation)
    ]
    if half:
        return [
            f"a `fly deploy` was left half-done: it has changed some of release {half[0].release}, and not machine "
            f"{half[0].id} ({half[0].name}): finish it first"
        ]
    groups = sorted({machine.group for machine in observation.strangers if _serves(machine)} - {GROUP})
    if adopt and groups and not observation.seen:
        return [f"adopt: no machine is of the process group {GROUP}; there are {', '.join(groups)}"]
    return []


def _was(observation: Observation) -> set[Release]:
    return {machine.was for machine in observation.seen if machine.was}


def _ids(observation: Observation, release: Release) -> str:
    return ", ".join(f"{m.id} ({m.name})" for m in observation.seen if m.release == release)


def _serves(machine: Stranger) -> bool:
    """Not one of those short-lived ones that flyctl makes for itself."""
    return bool(machine.group) and not machine.group.startswith("fly_app_")


def warnings(observation: Observation) -> Iterator[str]:
    """Who else is in the app, and is left alone: said with every plan, also where there is nothing to do."""
    in_group = [machine for machine in observation.strangers if machine.group == GROUP]
    if beside := [machine for machine in in_group if machine.release]:
        yield f"WARNING: beside ours serve, and go on, {_told(beside)} of `fly deploy`: adopt: true takes them over"
    if copies := [machine for machine in in_group if not machine.release]:
        yield f"WARNING: left alone: {_told(copies)} of the app's process group, which are not ours"
    for group in sorted({machine.group for machine in observation.strangers if _serves(machine)} - {GROUP}):
        others = [machine for machine in observation.strangers if machine.group == group]
        yield f"note: left alone: {_told(others)} of the process group {group}"


def _told(machines: list[Stranger]) -> str:
    shown = ", ".join(f"{machine.id} in {machine.region}" for machine in machines[:5])
    count = f"{len(machines)} machine{'s' if len(machines) != 1 else ''}"
    return f"{count} ({shown}{', …' if len(machines) > 5 else ''})"


def notes(blue: tuple[MachineSeen, ...], spec: Spec) -> Iterator[str]:
    """What was found of a blue that is taken over, and what can be proven of it."""
    found = [machine for machine in blue if machine.adopted]
    if not found:
        return
    images = ", ".join(sorted({machine.image for machine in found}))
    yield f"adopts release {found[0].release} of `fly deploy` (process group {GROUP}): {images}"
    for machine in found:
        if machine.asleep:
            yield f"note: machine {machine.id} ({machine.name}) is stopped: it is cordoned, and removed at the end"
        for mount in machine.mounts:
            yield f"WARNING: volume {mount} of machine {machine.id} stays, unattached: green has nothing of it"
    if spec.secret_env:
        names = ", ".join(sorted(spec.secret_env))
        yield f"WARNING: secret_env sets {names} on the app; what blue had there cannot be read, nor put back"
    if not all(machine.must_prove for machine in found):
        yield (
            "note: a release of `fly deploy` writes no manifest: that it exits with 0 is the only evidence that its "
            "state is saved (state_proof: marker, http or command can prove it)"
        )
