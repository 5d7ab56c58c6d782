"""The lifecycle as data: every table of steps, in the order in which they run. Nothing else knows that order.

A row says what is done, in which phase, to whose machines, and how the world looks when it is done. The planner takes
the first row that is not done yet; the same rows render the preview, the progress and the diagram in the docs.

``handoff`` (default): blue is drained and proven saved, then the state is recorded as green's (the commit point),
then green is routed. ``overlap`` (Fly's own order, for stateless apps): green is routed and proven, then blue is
drained, and no state is proven. ``restore`` undoes a deployment that failed before its commit point; it never touches
green before blue answers again (flyctl 3359: a rollback destroyed green while blue was cordoned).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from providers.bluegreen import conditions as when
from providers.bluegreen.conditions import Done
from providers.bluegreen.model import Phase, Role
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
    LOOK_AGAIN = "look again that every check passes"
    UNCORDON = "route"
    PROVE_ROUTED = "prove from outside who answers"
    MARK_SERVING = "record as serving"
    RESTORE_SECRETS = "restore secrets"
    START = "start"
    DESTROY = "destroy"
    DELETE_APP = "delete app"


@dataclass(frozen=True)
class Row:
    """One step of a table.

    ``gate``: a check that must hold, changing nothing. ``commit``: the commit point is here. ``repair``: for a green
    that fell apart after its commit, or that somebody cordoned or stopped; nothing to do, and not shown, otherwise.
    """

    phase: Phase
    do: Do
    on: Role
    done: Done
    gate: bool = False
    commit: bool = False
    repair: bool = False

    @property
    def name(self) -> str:
        return f"{self.do} ({self.on})" if self.on is not Role.ALL else str(self.do)


_CREATE_AND_VERIFY = (
    Row(Phase.CREATE_NEW, Do.CREATE_APP, Role.ALL, when.app_exists),
    Row(Phase.CREATE_NEW, Do.DESTROY, Role.STRAY, when.none_left(Role.STRAY)),
    Row(Phase.CREATE_NEW, Do.SET_SECRETS, Role.ALL, when.secrets_are_set),
    Row(Phase.CREATE_NEW, Do.CREATE, Role.GREEN, when.all_created),
    Row(Phase.CREATE_NEW, Do.AWAIT_STARTED, Role.GREEN, when.each(Role.GREEN, when.started)),
    Row(Phase.VERIFY, Do.AWAIT_HEALTHY, Role.GREEN, when.green_is_healthy, gate=True),
)
_DRAIN = (
    Row(Phase.DRAIN_OLD, Do.CORDON, Role.BLUE, when.each(Role.BLUE, when.cordoned)),
    Row(Phase.DRAIN_OLD, Do.STOP, Role.BLUE, when.each(Role.BLUE, when.told_to_stop)),
    Row(Phase.DRAIN_OLD, Do.AWAIT_STOPPED, Role.BLUE, when.each(Role.BLUE, when.stopped)),
)
_PROVE_DRAINED = (
    Row(Phase.DRAIN_OLD, Do.READ_EXITS, Role.BLUE, when.each(Role.BLUE, when.graceful), gate=True),
    Row(Phase.DRAIN_OLD, Do.PROVE_SAVED, Role.BLUE, when.proven_saved, gate=True),
)
_RETIRE = (Row(Phase.RETIRE_OLD, Do.DESTROY, Role.OTHERS, when.none_left(Role.OTHERS)),)
_ROUTE = (
    Row(Phase.SWITCH_ROUTES, Do.UNCORDON, Role.GREEN, when.each(Role.GREEN, when.registered)),
    Row(Phase.SWITCH_ROUTES, Do.PROVE_ROUTED, Role.GREEN, when.green_answers, gate=True),
)
_REPAIR = (
    # What can be routed is routed first: one machine that does not come back must not keep the others away.
    Row(Phase.SWITCH_ROUTES, Do.UNCORDON, Role.GREEN, when.each(Role.GREEN, when.registered), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.SET_SECRETS, Role.ALL, when.secrets_are_still_set, repair=True),
    Row(Phase.SWITCH_ROUTES, Do.CREATE, Role.GREEN, when.all_created, repair=True),
    Row(Phase.SWITCH_ROUTES, Do.AWAIT_STOPPED, Role.GREEN, when.each(Role.GREEN, when.settled), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.START, Role.GREEN, when.each(Role.GREEN, when.told_to_start), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.AWAIT_STARTED, Role.GREEN, when.each(Role.GREEN, when.started), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.AWAIT_HEALTHY, Role.GREEN, when.green_is_healthy_or_recorded, repair=True),
)
_RECORD = Row(Phase.SWITCH_ROUTES, Do.MARK_SERVING, Role.GREEN, when.green_is_recorded)

HANDOFF = (
    *_CREATE_AND_VERIFY,
    *_DRAIN,
    *_PROVE_DRAINED,
    Row(Phase.SWITCH_ROUTES, Do.LOOK_AGAIN, Role.GREEN, when.green_seen_again, gate=True),
    Row(Phase.SWITCH_ROUTES, Do.COMMIT, Role.ALL, when.committed, commit=True),
    *_REPAIR,
    *_ROUTE,
    _RECORD,
    *_RETIRE,
)

OVERLAP = (
    *_CREATE_AND_VERIFY,
    *_ROUTE,
    replace(_RECORD, commit=True),
    *_REPAIR,
    *(replace(row, repair=True) for row in (*_ROUTE, _RECORD)),
    *_DRAIN,
    *_RETIRE,
)

RESTORE = (
    Row(Phase.RESTORE_OLD, Do.RESTORE_SECRETS, Role.ALL, when.secrets_are_blues),
    # Before anything is waited for: each machine is reached again as soon as it is well, whatever the others do.
    Row(Phase.RESTORE_OLD, Do.UNCORDON, Role.BLUE, when.each(Role.BLUE, when.uncordoned)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_STOPPED, Role.BLUE, when.each(Role.BLUE, when.settled)),
    Row(Phase.RESTORE_OLD, Do.START, Role.BLUE, when.each(Role.BLUE, when.told_to_start)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_STARTED, Role.BLUE, when.each(Role.BLUE, when.started)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_HEALTHY, Role.BLUE, when.blue_is_healthy, gate=True),
    Row(Phase.RESTORE_OLD, Do.PROVE_ROUTED, Role.BLUE, when.blue_answers, gate=True),
    Row(Phase.RESTORE_OLD, Do.DESTROY, Role.GREEN, when.none_left(Role.GREEN)),
    Row(Phase.RESTORE_OLD, Do.DELETE_APP, Role.ALL, when.app_stays_or_is_gone),
)

DESTROY = (
    *_DRAIN,
    *_PROVE_DRAINED,
    Row(Phase.RETIRE_OLD, Do.DESTROY, Role.ALL, when.none_left(Role.ALL), commit=True),
    Row(Phase.RETIRE_OLD, Do.DELETE_APP, Role.ALL, when.app_stays_or_is_gone),
)


def table(scene: Scene) -> tuple[Row, ...]:
    """The rows that this intent runs through."""
    if scene.intent.goal == "restore":
        return RESTORE
    proves_state = scene.intent.cutover == "handoff"
    if scene.intent.goal == "destroy":
        return DESTROY if proves_state else tuple(row for row in DESTROY if not row.gate)
    return HANDOFF if proves_state else OVERLAP
