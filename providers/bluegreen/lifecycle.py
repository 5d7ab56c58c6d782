"""The lifecycle as data: every table of steps, in the order in which they run. Nothing else knows that order.

A row says what is done, in which phase, to whose machines, and how the world looks when it is done. The planner takes
the first row that is not done yet; the same rows render the preview, the progress and the diagram in the docs.

``handoff`` (default): blue is drained and proven saved, then the state is recorded as green's (the commit point), then
green is routed. ``overlap`` (Fly's own order, for stateless apps): green is routed and proven, then blue is drained,
and no state is proven. ``scale`` adds machines to a release, and takes stateless ones away. ``restore`` undoes a
deployment that failed before its commit point; it never touches green before blue answers again (flyctl 3359: a
rollback destroyed green while blue was cordoned). ``rollback`` is a handoff back, when green fails in its bake time;
``stay`` is what follows a rollback that failed: who served goes on.

Blue drains as its own release can: a machine that can quiesce alive is proven before it is stopped, any other one is
stopped first. One table serves both: each row is done already for the machines that it is not about.
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
    RELEASE_COMMAND = "run release command"
    CREATE = "create machines, unrouted"
    AWAIT_STARTED = "wait until started"
    AWAIT_HEALTHY = "wait until every check passes"
    STAY_HEALTHY = "watch that every check stays passing"
    TEST = "test"
    CHECK_OWNER = "check who owns the state"
    REHEARSE = "rehearse: open a copy of the saved state"
    AWAIT_APPROVAL = "approval"
    PREPARE_DRAIN = "check that it can drain"
    CORDON = "cordon"
    QUIESCE = "quiesce and save, alive"
    STOP = "stop gracefully"
    AWAIT_STOPPED = "wait until stopped"
    READ_EXITS = "read exit events"
    PROVE_SAVED = "prove saved state"
    LOOK_AGAIN = "look again that every check passes"
    COMMIT = "record green as the owner of the state"
    JOIN = "record as part of the release"
    UNCORDON = "route"
    PROVE_ROUTED = "prove from outside who answers"
    MARK_SERVING = "record as serving"
    BAKE = "watch checks, and answers from outside"
    RESTORE_SECRETS = "restore secrets"
    RECLAIM = "record blue as the owner again"
    RESUME = "resume"
    START = "start"
    KEEP_WARM = "keep stopped, for a fast way back"
    DESTROY = "destroy"
    DELETE_APP = "delete app"


@dataclass(frozen=True)
class Row:
    """One step of a table.

    ``gate``: what must hold before anything behind it is done. ``commit``: the commit point is here. ``repair``: for a
    green that fell apart after its commit, or that somebody cordoned or stopped; else nothing to do, and not shown.
    ``if_needed``: shown only where there is something to do already. ``subject``: which one of several, e.g. tests.
    """

    phase: Phase
    do: Do
    on: Role
    done: Done
    gate: bool = False
    commit: bool = False
    repair: bool = False
    if_needed: bool = False
    subject: str = ""

    @property
    def name(self) -> str:
        what = f"{self.do} {self.subject}".rstrip()
        return f"{what} ({self.on})" if self.on is not Role.ALL else what


_OWNER_BACK = tuple(
    Row(Phase.RESTORE_OLD, do, on, when.before_a_wait(done), if_needed=True)
    for do, on, done in (
        # A run that was killed in the handoff window left nobody serving: whoever has to build or to ask first, and
        # not only to go on, brings the owner back before.
        (Do.RECLAIM, Role.ALL, when.not_contested),
        (Do.UNCORDON, Role.DOWN, when.is_back),
        (Do.RESUME, Role.DOWN, when.each(Role.DOWN, when.resumed)),
        (Do.AWAIT_STOPPED, Role.DOWN, when.each(Role.DOWN, when.settled)),
        (Do.RESTORE_SECRETS, Role.ALL, when.none_to_start_or(when.secrets_are_blues)),
        (Do.START, Role.DOWN, when.each(Role.DOWN, when.told_to_start)),
        (Do.AWAIT_STARTED, Role.DOWN, when.each(Role.DOWN, when.started)),
    )
)
_CREATE = (
    *_OWNER_BACK,
    Row(Phase.CREATE_NEW, Do.CREATE_APP, Role.ALL, when.app_exists),
    # What an earlier rollout left is finished first: a cluster that served before blue may run, and be routed, still.
    Row(Phase.CREATE_NEW, Do.CORDON, Role.PAST, when.each(Role.PAST, when.cordoned_or_ended)),
    Row(Phase.CREATE_NEW, Do.STOP, Role.PAST, when.each(Role.PAST, when.told_to_stop)),
    Row(Phase.CREATE_NEW, Do.AWAIT_STOPPED, Role.PAST, when.each(Role.PAST, when.settled)),
    Row(Phase.CREATE_NEW, Do.DESTROY, Role.PAST, when.none_left(Role.PAST)),
    Row(Phase.CREATE_NEW, Do.DESTROY, Role.TASK, when.none_left(Role.TASK)),
    # Under overlap a run that was killed may have routed some of it.
    Row(
        Phase.CREATE_NEW, Do.CORDON, Role.STRAY, when.each(Role.STRAY, when.cordoned_or_ended), if_needed=True
    ),
    Row(Phase.CREATE_NEW, Do.DESTROY, Role.STRAY, when.none_left(Role.STRAY)),
    Row(Phase.CREATE_NEW, Do.SET_SECRETS, Role.ALL, when.secrets_are_set),
    Row(Phase.CREATE_NEW, Do.RELEASE_COMMAND, Role.ALL, when.released, gate=True),
    Row(Phase.CREATE_NEW, Do.CREATE, Role.GREEN, when.all_created),
    Row(Phase.CREATE_NEW, Do.START, Role.GREEN, when.each(Role.GREEN, when.told_to_start), if_needed=True),
    Row(Phase.CREATE_NEW, Do.AWAIT_STARTED, Role.GREEN, when.each(Role.GREEN, when.started)),
    Row(Phase.CREATE_NEW, Do.RESUME, Role.GREEN, when.each(Role.GREEN, when.not_draining), if_needed=True),
)


_VERIFY = (
    # Nothing here touches blue. What is cheap comes first, and people are asked last.
    Row(Phase.VERIFY, Do.AWAIT_HEALTHY, Role.GREEN, when.green_is_healthy, gate=True),
    Row(Phase.VERIFY, Do.CHECK_OWNER, Role.ALL, when.owner_is_checked, gate=True),
    Row(Phase.VERIFY, Do.STAY_HEALTHY, Role.GREEN, when.stayed_healthy, gate=True),
    Row(Phase.VERIFY, Do.TEST, Role.GREEN, when.every_test_passed, gate=True),
    Row(Phase.VERIFY, Do.REHEARSE, Role.GREEN, when.rehearsed, gate=True),
    Row(Phase.VERIFY, Do.AWAIT_APPROVAL, Role.GREEN, when.approved, gate=True),
)
_STOP = (
    Row(Phase.DRAIN_OLD, Do.CORDON, Role.BLUE, when.blue_is_cordoned),
    Row(Phase.DRAIN_OLD, Do.STOP, Role.BLUE, when.each(Role.BLUE, when.told_to_stop)),
    # One that failed or is suspended never becomes ``stopped``: it has ended, and the gates behind this judge how.
    Row(Phase.DRAIN_OLD, Do.AWAIT_STOPPED, Role.BLUE, when.each(Role.BLUE, when.settled)),
)
_DRAIN = (
    Row(Phase.DRAIN_OLD, Do.PREPARE_DRAIN, Role.BLUE, when.each(Role.BLUE, when.marked_for_drain), gate=True),
    _STOP[0],
    Row(Phase.DRAIN_OLD, Do.QUIESCE, Role.BLUE, when.quiesced),
    Row(Phase.DRAIN_OLD, Do.PROVE_SAVED, Role.BLUE, when.proven_saved_alive, gate=True),
    *_STOP[1:],
    Row(Phase.DRAIN_OLD, Do.READ_EXITS, Role.BLUE, when.ended_well, gate=True),
    Row(Phase.DRAIN_OLD, Do.PROVE_SAVED, Role.BLUE, when.proven_saved, gate=True),
)
_COMMIT = (
    Row(Phase.SWITCH_ROUTES, Do.LOOK_AGAIN, Role.GREEN, when.green_seen_again, gate=True),
    Row(Phase.SWITCH_ROUTES, Do.COMMIT, Role.ALL, when.committed, commit=True),
)
_ROUTE = (
    Row(Phase.SWITCH_ROUTES, Do.UNCORDON, Role.GREEN, when.green_is_registered),
    Row(Phase.SWITCH_ROUTES, Do.PROVE_ROUTED, Role.GREEN, when.green_answers, gate=True),
)
_REPAIR = (
    # Who goes back to what served before a run that may have its commit on the way comes before that commit.
    Row(Phase.SWITCH_ROUTES, Do.RECLAIM, Role.ALL, when.not_contested, repair=True),
    # What can be routed is routed first: one machine that does not come back must not keep the others away.
    Row(Phase.SWITCH_ROUTES, Do.UNCORDON, Role.GREEN, when.green_is_registered_or_marked, repair=True),
    Row(Phase.SWITCH_ROUTES, Do.RESUME, Role.GREEN, when.each(Role.GREEN, when.resumed), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.SET_SECRETS, Role.GREEN, when.secrets_are_its_own(Role.GREEN), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.CREATE, Role.GREEN, when.all_created, repair=True),
    Row(Phase.SWITCH_ROUTES, Do.AWAIT_STOPPED, Role.GREEN, when.each(Role.GREEN, when.settled), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.START, Role.GREEN, when.each(Role.GREEN, when.told_to_start), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.AWAIT_STARTED, Role.GREEN, when.each(Role.GREEN, when.started), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.RESUME, Role.GREEN, when.each(Role.GREEN, when.not_draining), repair=True),
    Row(Phase.SWITCH_ROUTES, Do.AWAIT_HEALTHY, Role.GREEN, when.green_is_healthy_or_recorded, repair=True),
)
_RECORD = Row(Phase.SWITCH_ROUTES, Do.MARK_SERVING, Role.GREEN, when.green_is_recorded)
_BAKE = Row(Phase.BAKE, Do.BAKE, Role.GREEN, when.baked, gate=True)
_DESTROY_OTHERS = (
    # They have stopped long ago, but for one that somebody, or its host, has started again meanwhile.
    Row(
        Phase.RETIRE_OLD, Do.CORDON, Role.OTHERS, when.each(Role.OTHERS, when.cordoned_or_ended), repair=True
    ),
    Row(Phase.RETIRE_OLD, Do.STOP, Role.OTHERS, when.once_owners(when.told_to_stop), repair=True),
    Row(Phase.RETIRE_OLD, Do.AWAIT_STOPPED, Role.OTHERS, when.once_owners(when.settled), repair=True),
    Row(Phase.RETIRE_OLD, Do.DESTROY, Role.OTHERS, when.none_left(Role.OTHERS)),
)
_RETIRE = (
    Row(Phase.RETIRE_OLD, Do.DESTROY, Role.TASK, when.none_left(Role.TASK), if_needed=True),
    Row(Phase.RETIRE_OLD, Do.KEEP_WARM, Role.BLUE, when.kept_warm),
    *_DESTROY_OTHERS,
)


HANDOFF = (*_CREATE, *_VERIFY, *_DRAIN, *_COMMIT, *_REPAIR, *_ROUTE, _RECORD, _BAKE, *_RETIRE)

_ROUTE_AGAIN = tuple(replace(row, repair=True) for row in (*_ROUTE, _RECORD))
"""The first machine that is recorded is the commit; the others are recorded behind it, whatever became of them."""
# The record of its routing is green's commit: nobody is asked for the state. Blue runs until green has baked.
OVERLAP = (
    *_CREATE,
    *(row for row in _VERIFY if row.do not in (Do.CHECK_OWNER, Do.REHEARSE)),
    *_ROUTE,
    replace(_RECORD, commit=True),
    *_REPAIR,
    *_ROUTE_AGAIN,
    _BAKE,
    *_STOP,
    *_RETIRE,
)

_TIDY = (_RETIRE[0], *_DESTROY_OTHERS)
# What is added is green, what leaves is blue; nothing here is about the machines that stay. The release owns the state
# already, so an added machine may serve as soon as it is routed: its commit point is before that.
SCALE_DOWN = (*_STOP, *_TIDY)
SCALE = (
    *(
        row
        for row in _CREATE
        if row not in _OWNER_BACK and row.do not in (Do.CREATE_APP, Do.SET_SECRETS, Do.RELEASE_COMMAND)
    ),
    *(row for row in _VERIFY if row.do in (Do.AWAIT_HEALTHY, Do.STAY_HEALTHY, Do.TEST)),
    Row(Phase.SWITCH_ROUTES, Do.JOIN, Role.GREEN, when.joined, commit=True),
    *(row for row in _REPAIR if row.do not in (Do.RECLAIM, Do.SET_SECRETS)),
    *_ROUTE,
    _RECORD,
    *SCALE_DOWN,
)

_WAKE_BLUE = (
    # Before anything is waited for: each machine is reached again as soon as it is well, whatever the others do.
    Row(Phase.RESTORE_OLD, Do.UNCORDON, Role.BLUE, when.each(Role.BLUE, when.uncordoned_or_marked)),
    Row(Phase.RESTORE_OLD, Do.RESUME, Role.BLUE, when.each(Role.BLUE, when.resumed)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_STOPPED, Role.BLUE, when.each(Role.BLUE, when.settled)),
    Row(Phase.RESTORE_OLD, Do.START, Role.BLUE, when.each(Role.BLUE, when.told_to_start)),
    Row(Phase.RESTORE_OLD, Do.AWAIT_STARTED, Role.BLUE, when.each(Role.BLUE, when.started)),
    Row(Phase.RESTORE_OLD, Do.RESUME, Role.BLUE, when.each(Role.BLUE, when.not_draining)),
    Row(Phase.RESTORE_OLD, Do.UNCORDON, Role.BLUE, when.each(Role.BLUE, when.uncordoned)),
)
STAY = (
    Row(Phase.RESTORE_OLD, Do.SET_SECRETS, Role.BLUE, when.secrets_are_its_own(Role.BLUE)),
    Row(Phase.RESTORE_OLD, Do.RECLAIM, Role.ALL, when.commit_is_settled),
    *_WAKE_BLUE,
)
RESTORE = (
    Row(Phase.RESTORE_OLD, Do.RESTORE_SECRETS, Role.ALL, when.secrets_are_blues),
    Row(Phase.RESTORE_OLD, Do.RECLAIM, Role.ALL, when.commit_is_settled),
    *_WAKE_BLUE,
    Row(Phase.RESTORE_OLD, Do.AWAIT_HEALTHY, Role.BLUE, when.blue_is_healthy, gate=True),
    Row(Phase.RESTORE_OLD, Do.PROVE_ROUTED, Role.BLUE, when.blue_answers, gate=True),
    Row(Phase.RESTORE_OLD, Do.MARK_SERVING, Role.BLUE, when.blue_is_recorded_again),
    Row(Phase.RESTORE_OLD, Do.DESTROY, Role.TASK, when.none_left(Role.TASK)),
    # Under overlap some of green may be routed by then, and the proxy knows it for a while after a machine is gone.
    Row(
        Phase.RESTORE_OLD,
        Do.CORDON,
        Role.GREEN,
        when.each(Role.GREEN, when.cordoned_or_ended),
        if_needed=True,
    ),
    Row(Phase.RESTORE_OLD, Do.DESTROY, Role.GREEN, when.green_is_gone_or_kept),
    Row(Phase.RESTORE_OLD, Do.DELETE_APP, Role.ALL, when.app_stays_or_is_gone),
)
_WAKE_GREEN = (
    Row(Phase.ROLL_BACK, Do.RESTORE_SECRETS, Role.ALL, when.secrets_are_blues),
    Row(Phase.ROLL_BACK, Do.START, Role.GREEN, when.each(Role.GREEN, when.told_to_start)),
    Row(Phase.ROLL_BACK, Do.AWAIT_STARTED, Role.GREEN, when.each(Role.GREEN, when.started)),
    Row(Phase.ROLL_BACK, Do.RESUME, Role.GREEN, when.each(Role.GREEN, when.not_draining)),
    Row(Phase.ROLL_BACK, Do.AWAIT_HEALTHY, Role.GREEN, when.green_is_healthy, gate=True),
)


def _backwards(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """One phase: a rollback is one thing to people."""
    tasks = _RETIRE[0]
    return tuple(
        replace(row, phase=Phase.ROLL_BACK) for row in (*_WAKE_GREEN, *rows, tasks, *_DESTROY_OTHERS)
    )


HANDOFF_BACK = _backwards((*_DRAIN, *_COMMIT, *_ROUTE, _RECORD))
OVERLAP_BACK = _backwards((*_ROUTE, replace(_RECORD, commit=True), *_ROUTE_AGAIN, *_STOP))

_END_ALL = (
    # A cluster that served before blue may run still, where a rollout was interrupted.
    Row(Phase.RETIRE_OLD, Do.CORDON, Role.PAST, when.each(Role.PAST, when.cordoned_or_ended)),
    Row(Phase.RETIRE_OLD, Do.STOP, Role.PAST, when.each(Role.PAST, when.told_to_stop)),
    Row(Phase.RETIRE_OLD, Do.AWAIT_STOPPED, Role.PAST, when.each(Role.PAST, when.settled)),
    Row(Phase.RETIRE_OLD, Do.DESTROY, Role.TASK, when.none_left(Role.TASK)),
    # A first deploy under overlap that was killed may have routed what it never committed.
    Row(Phase.RETIRE_OLD, Do.CORDON, Role.ALL, when.each(Role.ALL, when.cordoned_or_ended), if_needed=True),
    Row(Phase.RETIRE_OLD, Do.DESTROY, Role.ALL, when.none_left(Role.ALL), commit=True),
    Row(Phase.RETIRE_OLD, Do.DELETE_APP, Role.ALL, when.app_stays_or_is_gone),
)
DESTROY = (*_DRAIN, *_END_ALL)
OVERLAP_DESTROY = (*_STOP, *_END_ALL)


def table(scene: Scene) -> tuple[Row, ...]:
    """The rows that this intent runs through, with one for each test."""
    proves_state = scene.intent.cutover == "handoff"
    rows = {
        "deploy": HANDOFF if proves_state else OVERLAP,
        "scale": SCALE if scene.intent.wanted else SCALE_DOWN,
        "rollback": HANDOFF_BACK if proves_state else OVERLAP_BACK,
        "destroy": DESTROY if proves_state else OVERLAP_DESTROY,
        "restore": RESTORE,
        "stay": STAY,
    }[scene.intent.goal]
    return tuple(one for row in rows for one in (_tests(row, scene) if row.do is Do.TEST else (row,)))


def _tests(row: Row, scene: Scene) -> tuple[Row, ...]:
    names = (test.name for test in scene.intent.spec.tests)
    return tuple(replace(row, done=when.test_passed(name), subject=name) for name in names)
