"""What each step leaves the world like when nothing goes wrong: the actions as a pure table.

``Refused`` stands for a gate that the world itself keeps shut: a machine that was killed has saved nothing, and no
call brings that back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from providers.bluegreen.commits import rank
from providers.bluegreen.conditions import RUNNING, dead, drains_alive, green_is_healthy, marked_for_drain
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import (
    Answer,
    DrainMark,
    MachineSeen,
    Observation,
    Ownership,
    Phase,
    Proof,
    Release,
    Role,
    TestResult,
    Warm,
)
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from tests.bluegreen.worlds import CHECKS, CLEAN_EXIT

Effect = Callable[[Scene, Step], Observation]


class Refused(Exception):
    """The step fails whatever the API answers."""


def flag(name: str) -> Effect:
    """A step whose whole effect is evidence."""
    evidence: dict[str, Any] = {name: True}
    return lambda scene, step: replace(scene.observation, **evidence)


def on(
    which: Callable[[MachineSeen], bool], change: Callable[[MachineSeen], MachineSeen]
) -> Callable[[Scene, Step], Observation]:
    """A step that changes those of its machines that need it."""
    return lambda scene, step: scene.observation.with_machines(
        *(change(m) for m in step.machines if which(m))
    )


def create_app(scene: Scene, step: Step) -> Observation:
    return replace(scene.observation, app_exists=True, app_created=True)


def create(scene: Scene, step: Step) -> Observation:
    existing = {machine.name for machine in scene.green}
    spec = scene.intent.spec
    made = (
        MachineSeen(
            id=f"{scene.intent.release.generation}{name.rpartition('g')[2]}",
            name=name,
            release=scene.intent.release,
            region=region,
            state="starting",
            cordoned=True,
            cutover=scene.intent.cutover,
            added=scene.intent.goal == "scale",
            drain=spec.drain,
            state_store=spec.state_store.location if spec.state_store else "",
        )
        for name, region in scene.intent.wanted.items()
        if name not in existing
    )
    return scene.observation.with_machines(*made)


def await_started(scene: Scene, step: Step) -> Observation:
    if any(machine.state not in RUNNING for machine in step.machines):
        raise Refused("a machine ended instead of starting")
    return scene.observation.with_machines(*(replace(m, state="started") for m in step.machines))


def await_healthy(scene: Scene, step: Step) -> Observation:
    if any(machine.state != "started" for machine in step.machines):
        raise Refused("a machine does not run")
    return scene.observation.with_machines(*(replace(m, checks=CHECKS) for m in step.machines))


def look_again(scene: Scene, step: Step) -> Observation:
    if not green_is_healthy(scene) or any(machine.state != "started" for machine in scene.green):
        raise Refused("green fell sick after it had been verified")
    return replace(scene.observation, green_seen_again=True)


def check_owner(scene: Scene, step: Step) -> Observation:
    record, spec = scene.observation.record, scene.intent.spec
    here = spec.state_store.location if spec.state_store else ""
    handed_over = scene.blue and all(m.state_store == here and m.cutover == "handoff" for m in scene.blue)
    if isinstance(record, Ownership) and handed_over and record.release != scene.intent.blue:
        raise Refused("another release owns the state")
    return replace(scene.observation, owner_checked=True)


def prepare_drain(scene: Scene, step: Step) -> Observation:
    mark = DrainMark(str(scene.intent.release))
    return on(lambda m: not marked_for_drain(m), lambda m: replace(m, draining=mark))(scene, step)


def quiesce(scene: Scene, step: Step) -> Observation:
    asked = {m.id: m.draining or DrainMark("x") for m in step.machines if drains_alive(m)}
    return replace(scene.observation, quiesced={**scene.observation.quiesced, **asked})


def cordon(scene: Scene, step: Step) -> Observation:
    """Blue's dead are cordoned with the living."""
    about = step.machines + (dead(scene) if step.row.on is Role.BLUE else ())
    return scene.observation.with_machines(
        *(replace(m, cordoned=True, registered=False) for m in about if not m.cordoned)
    )


def await_stopped(scene: Scene, step: Step) -> Observation:
    stopping = on(lambda m: m.state == "stopping", lambda m: replace(m, state="stopped", exit=CLEAN_EXIT))
    return stopping(scene, step)


def read_exits(scene: Scene, step: Step) -> Observation:
    ended = [m for m in step.machines if m.id not in scene.observation.proofs]
    if not all(m.readable and m.exit and m.exit.graceful for m in ended):
        raise Refused("a machine did not end well")
    return scene.observation


def prove_saved(scene: Scene, step: Step) -> Observation:
    return scene.observation.with_proofs(*(Proof(m.id, rooms=1) for m in step.machines if m.must_prove))


def commit(scene: Scene, step: Step) -> Observation:
    owner = Ownership(scene.number_of(scene.intent.release), scene.intent.release)
    if scene.intent.spec.state_store:
        return replace(scene.observation, record=owner, commit_unsure=False)
    written_on = scene.blue or scene.green
    return scene.observation.with_machines(*(replace(m, owner=owner) for m in written_on))


def join(scene: Scene, step: Step) -> Observation:
    assert scene.ownership is not None
    owner = scene.ownership
    return on(lambda m: m.unjoined, lambda m: replace(m, owner=owner, checks=()))(scene, step)


def reclaim(scene: Scene, step: Step) -> Observation:
    assert scene.owner is not None
    number = scene.ownership.number + 1 if scene.ownership else 1
    record = Ownership(number, scene.owner)
    return replace(scene.observation, record=record, commit_unsure=False, reclaimed=True)


def routed(machine: MachineSeen) -> MachineSeen:
    return replace(machine, cordoned=False, registered=True, touched=True)


def prove_routed(scene: Scene, step: Step) -> Observation:
    reached = [m for m in step.machines if m.state == "started" and not m.cordoned]
    if {m.region for m in reached} != {m.region for m in step.machines}:
        raise Refused("a region answers nothing")
    return replace(scene.observation, answers=tuple(Answer(m.region, m.id) for m in reached))


def mark_serving(scene: Scene, step: Step) -> Observation:
    number = scene.number_of(step.machines[0].release)
    return on(lambda m: not m.cordoned, lambda m: replace(m, serving=number, touched=False))(scene, step)


def resume(scene: Scene, step: Step) -> Observation:
    routes = step.phase in (Phase.RESTORE_OLD, Phase.SWITCH_ROUTES)
    works = [replace(m, draining=None) for m in step.machines if m.draining and m.state == "started"]
    ids = {machine.id for machine in works}
    proofs = {key: proof for key, proof in scene.observation.proofs.items() if key not in ids}
    quiesced = {key: mark for key, mark in scene.observation.quiesced.items() if key not in ids}
    kept = replace(scene.observation, proofs=proofs, quiesced=quiesced)
    return kept.with_machines(*(routed(m) if routes else m for m in works))


def put_secrets(evidence: str, whose: Callable[[Scene], Release | None]) -> Effect:
    """The app's secrets become one release's; the owner's machines carry a mark while they are another's."""

    def effect(scene: Scene, step: Step) -> Observation:
        holders = [m for m in scene.observation.seen if m.release == scene.owner and not m.lost]
        own = whose(scene) == scene.owner
        mark = "" if own else str(whose(scene))
        changed = holders if own or any(m.secrets_of for m in holders) else holders[:1]
        marked = (replace(m, secrets_of=mark if own else m.secrets_of or mark) for m in changed)
        return flag(evidence)(scene, step).with_machines(*marked)

    return effect


def greens(scene: Scene) -> Release | None:
    return scene.intent.blue if scene.intent.goal == "stay" else scene.intent.release


def blues(scene: Scene) -> Release | None:
    return scene.intent.release if scene.intent.goal == "rollback" else scene.intent.blue


def destroy(scene: Scene, step: Step) -> Observation:
    return scene.observation.without_machines(*(machine.id for machine in step.machines))


def keep_warm(scene: Scene, step: Step) -> Observation:
    number = rank(step.machines[0].release, scene.observation)
    return on(lambda m: True, lambda m: replace(m, warm=Warm(1e9, number)))(scene, step)


def test(scene: Scene, step: Step) -> Observation:
    passed = {**scene.observation.tests, step.row.subject: TestResult(step.row.subject, 1.0)}
    return replace(scene.observation, tests=passed)


EFFECTS: dict[Do, Effect] = {
    Do.CREATE_APP: create_app,
    Do.SET_SECRETS: put_secrets("secrets_set", greens),
    Do.RELEASE_COMMAND: flag("released"),
    Do.CREATE: create,
    Do.AWAIT_STARTED: await_started,
    Do.AWAIT_HEALTHY: await_healthy,
    Do.STAY_HEALTHY: flag("stayed_healthy"),
    Do.TEST: test,
    Do.CHECK_OWNER: check_owner,
    Do.REHEARSE: flag("rehearsed"),
    Do.PREPARE_DRAIN: prepare_drain,
    Do.CORDON: cordon,
    Do.QUIESCE: quiesce,
    Do.STOP: on(lambda m: m.state in RUNNING, lambda m: replace(m, state="stopping")),
    Do.AWAIT_STOPPED: await_stopped,
    Do.READ_EXITS: read_exits,
    Do.PROVE_SAVED: prove_saved,
    Do.LOOK_AGAIN: look_again,
    Do.COMMIT: commit,
    Do.JOIN: join,
    Do.UNCORDON: on(lambda m: not m.draining and (m.cordoned or not m.registered), routed),
    Do.PROVE_ROUTED: prove_routed,
    Do.MARK_SERVING: mark_serving,
    Do.BAKE: flag("baked"),
    Do.RESTORE_SECRETS: put_secrets("secrets_restored", blues),
    Do.RECLAIM: reclaim,
    Do.RESUME: resume,
    Do.START: on(
        lambda m: m.state not in RUNNING,
        lambda m: replace(m, state="starting", touched=True, exit=None, checks=()),
    ),
    Do.KEEP_WARM: keep_warm,
    Do.DESTROY: destroy,
    Do.DELETE_APP: lambda scene, step: replace(scene.observation, app_exists=False),
}
"""Every step but the approval, which people open: it ends the run."""
