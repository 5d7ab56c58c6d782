"""The lifecycle as data: every table of steps, in the order in which they run. Nothing else knows that order.

A row says what is done, in which phase, to whose machines, and how the world looks when it is done. The planner takes
the first row that is not done yet; the same rows render the preview, the progress and the diagram in the docs.

``handoff`` (default): blue is drained and proven saved, then the state is recorded as green's (the commit point), then
green is routed. ``overlap`` (Fly's own order, for stateless apps): green is routed and proven, then blue is drained,
and no state is proven. ``restore`` undoes a deployment that failed before its commit point; it never touches green before
blue answers again (flyctl 3359: a rollback destroyed green while blue was cordoned).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from providers.bluegreen.model import MachineSeen, Phase, Role, Unknown
from providers.bluegreen.scene import Scene


class Do(StrEnum):
    """What a step does. ``actions`` has one function for each."""

    CREATE_APP = "create app"
    SET_SECRETS = "set secrets"
    CREATE = "create machines, unrouted"
    AWAIT_STARTED = "wait until started"
    AWAIT_HEALTHY = "wait until every check passes"
    CORDON = "cordon"
    COMMIT = "record green as the owner of the state"
    STOP = "stop gracefully"
    AWAIT_STOPPED = "wait until stopped"
    READ_EXITS = "read exit events"
    PROVE_SAVED = "prove saved state"
    UNCORDON = "route"
    PROVE_ROUTED = "prove from outside who answers"
    MARK_SERVING = "record as serving"
    RESTORE_SECRETS = "restore secrets"
    START = "start"
    DESTROY = "destroy"
    DELETE_APP = "delete app"


Done = Callable[[Scene], bool]


@dataclass(frozen=True)
class Row:
    """One step of a table. ``gate``: a check that must hold, changing nothing. ``commit``: the commit point is here."""

    phase: Phase
    do: Do
    on: Role
    done: Done
    gate: bool = False
    commit: bool = False

    @property
    def name(self) -> str:
        return f"{self.do} ({self.on})" if self.on is not Role.ALL else str(self.do)


def _each(role: Role, holds: Callable[[MachineSeen], bool]) -> Done:
    return lambda scene: all(holds(machine) for machine in scene.of(role))


def _none_left(role: Role) -> Done:
    return lambda scene: not scene.of(role)


def _app_exists(scene: Scene) -> bool:
    return scene.observation.app_exists is True


def _app_stays_or_is_gone(scene: Scene) -> bool:
    return not scene.intent.remove_app or scene.observation.app_exists is False or scene.observation.app_kept


def _secrets_are_set(scene: Scene) -> bool:
    """Machines are created after the secrets were set: one that exists shows that they are."""
    return not scene.intent.spec.secret_env or bool(scene.green) or scene.observation.secrets_set


def all_created(scene: Scene) -> bool:
    """Every machine of green exists, by name."""
    return set(scene.intent.wanted) <= {machine.name for machine in scene.green}


def _secrets_are_blues(scene: Scene) -> bool:
    return not scene.intent.previous_secrets or scene.observation.secrets_restored


def _healthy(scene: Scene) -> Callable[[MachineSeen], bool]:
    spec = scene.intent.spec

    def every_check_passes(machine: MachineSeen) -> bool:
        """Zero checks are not healthy (INCIDENTS 11): all that the spec expects must be there."""
        names = {check.name for check in machine.checks}
        of_services = sum(name.startswith("servicecheck-") for name in names)
        complete = of_services >= spec.service_check_count and names >= set(spec.checks)
        return complete and all(check.passing for check in machine.checks)

    return every_check_passes


def _green_is_healthy(scene: Scene) -> bool:
    return all(_healthy(scene)(machine) for machine in scene.green)


def _blue_is_healthy(scene: Scene) -> bool:
    """Blue may have been verified under another spec: whatever checks it reports must pass, and some must be there."""
    return all(m.checks and all(check.passing for check in m.checks) for m in scene.blue if m.cordoned)


def _proven_saved(scene: Scene) -> bool:
    proofs = scene.observation.proofs
    return all(
        machine.id in proofs and proofs[machine.id].holds for machine in scene.blue if machine.state_store
    )


def _answered_by(role: Role) -> Done:
    """Every region of the cluster has answered from outside, and nobody but the cluster."""

    def done(scene: Scene) -> bool:
        answers = scene.observation.answers
        if isinstance(answers, Unknown):
            return False
        ids = {machine.id for machine in scene.of(role)} | {""}
        regions = {machine.region for machine in scene.of(role)}
        return regions <= {answer.region for answer in answers if answer.machine_id in ids}

    return done


def _committed(scene: Scene) -> bool:
    return scene.committed


def _green_is_recorded(scene: Scene) -> bool:
    return bool(scene.green) and all(machine.serving for machine in scene.green)


def _green_answers(scene: Scene) -> bool:
    """The record is written after the proof, so a recorded cluster was proven by the run that recorded it."""
    return _green_is_recorded(scene) or _answered_by(Role.GREEN)(scene)


def _blue_answers(scene: Scene) -> bool:
    return not scene.blue or not scene.intent.disturbed or _answered_by(Role.BLUE)(scene)


_RUNNING = frozenset({"created", "starting", "started"})


def _cordoned(machine: MachineSeen) -> bool:
    return machine.cordoned


def _routed(machine: MachineSeen) -> bool:
    return not machine.cordoned


def _registered(machine: MachineSeen) -> bool:
    """Uncordoned by this run, or proven routed by an earlier one: a machine that merely shows as uncordoned may be one
    that was created away from the proxy.
    """
    return machine.serving or machine.registered


def _started(machine: MachineSeen) -> bool:
    return machine.state == "started"


def _stopped(machine: MachineSeen) -> bool:
    return machine.state == "stopped"


def _settled(machine: MachineSeen) -> bool:
    return machine.state != "stopping"


def _told_to_start(machine: MachineSeen) -> bool:
    return machine.state in _RUNNING


def _told_to_stop(machine: MachineSeen) -> bool:
    return machine.state not in _RUNNING


def _graceful(machine: MachineSeen) -> bool:
    return machine.exit is not None and machine.exit.graceful


_CREATE_AND_VERIFY = (
    Row(Phase.CREATE_NEW, Do.CREATE_APP, Role.ALL, _app_exists),
    Row(Phase.CREATE_NEW, Do.DESTROY, Role.STRAY, _none_left(Role.STRAY)),
    Row(Phase.CREATE_NEW, Do.SET_SECRETS, Role.ALL, _secrets_are_set),
    Row(Phase.CREATE_NEW, Do.CREATE, Role.GREEN, all_created),
    Row(Phase.CREATE_NEW, Do.AWAIT_STARTED, Role.GREEN, _each(Role.GREEN, _started)),
    Row(Phase.VERIFY, Do.AWAIT_HEALTHY, Role.GREEN, _green_is_healthy, gate=True),
)
_DRAIN = (
    Row(Phase.DRAIN_OLD, Do.CORDON, Role.BLUE, _each(Role.BLUE, _cordoned)),
    Row(Phase.DRAIN_OLD, Do.STOP, Role.BLUE, _each(Role.BLUE, _told_to_stop)),
    Row(Phase.DRAIN_OLD, Do.AWAIT_STOPPED, Role.BLUE, _each(Role.BLUE, _stopped)),
)
_PROVE_DRAINED = (
    Row(Phase.DRAIN_OLD, Do.READ_EXITS, Role.BLUE, _each(Role.BLUE, _graceful), gate=True),
    Row(Phase.DRAIN_OLD, Do.PROVE_SAVED, Role.BLUE, _proven_saved, gate=True),
)
_RETIRE = (Row(Phase.RETIRE_OLD, Do.DESTROY, Role.OTHERS, _none_left(Role.OTHERS)),)

HANDOFF = (
    *_CREATE_AND_VERIFY,
    *_DRAIN,
    *_PROVE_DRAINED,
    Row(Phase.SWITCH_ROUTES, Do.COMMIT, Role.ALL, _committed, commit=True),
    Row(Phase.SWITCH_ROUTES, Do.UNCORDON, Role.GREEN, _each(Role.GREEN, _registered)),
    Row(Phase.SWITCH_ROUTES, Do.PROVE_ROUTED, Role.GREEN, _green_answers, gate=True),
    Row(Phase.SWITCH_ROUTES, Do.MARK_SERVING, Role.GREEN, _green_is_recorded),
    *_RETIRE,
)

OVERLAP = (
    *_CREATE_AND_VERIFY,
    Row(Phase.SWITCH_ROUTES, Do.UNCORDON, Role.GREEN, _each(Role.GREEN, _registered)),
    Row(Phase.SWITCH_ROUTES, Do.PROVE_ROUTED, Role.GREEN, _green_answers, gate=True),
    Row(Phase.SWITCH_ROUTES, Do.MARK_SERVING, Role.GREEN, _green_is_recorded, commit=True),
    *_DRAIN,
    *_RETIRE,
)

RESTORE = (
    Row(Phase.RESTORE_OLD, Do.RESTORE_SECRETS, Role.ALL, _secrets_are_blues),
    Row(Phase.RESTORE_OLD, Do.AWAIT_STOPPED, Role.BLUE, _each(Role.BLUE, _settled)),
    Row(Phase.RESTORE_OLD, Do.START, Role.BLUE, _each(Role.BLUE, _told_to_start)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_STARTED, Role.BLUE, _each(Role.BLUE, _started)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_HEALTHY, Role.BLUE, _blue_is_healthy, gate=True),
    Row(Phase.RESTORE_OLD, Do.UNCORDON, Role.BLUE, _each(Role.BLUE, _routed)),
    Row(Phase.RESTORE_OLD, Do.PROVE_ROUTED, Role.BLUE, _blue_answers, gate=True),
    Row(Phase.RESTORE_OLD, Do.DESTROY, Role.GREEN, _none_left(Role.GREEN)),
    Row(Phase.RESTORE_OLD, Do.DELETE_APP, Role.ALL, _app_stays_or_is_gone),
)

DESTROY = (
    *_DRAIN,
    *_PROVE_DRAINED,
    Row(Phase.RETIRE_OLD, Do.DESTROY, Role.ALL, _none_left(Role.ALL), commit=True),
    Row(Phase.RETIRE_OLD, Do.DELETE_APP, Role.ALL, _app_stays_or_is_gone),
)


def table(scene: Scene) -> tuple[Row, ...]:
    """The rows that this intent runs through."""
    if scene.intent.goal == "restore":
        return RESTORE
    proves_state = scene.intent.cutover == "handoff"
    if scene.intent.goal == "destroy":
        return DESTROY if proves_state else tuple(row for row in DESTROY if not row.gate)
    return HANDOFF if proves_state else OVERLAP
