"""Which function each step of the lifecycle is: one a verb, each answering the world as it is known afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from providers.bluegreen.actions.approving import await_approval
from providers.bluegreen.actions.creating import create, create_app, restore_secrets, set_secrets
from providers.bluegreen.actions.draining import read_exits, start, stop
from providers.bluegreen.actions.joining import join
from providers.bluegreen.actions.owning import check_owner, commit, reclaim
from providers.bluegreen.actions.proving import prove_state
from providers.bluegreen.actions.quiescing import prepare_drain, quiesce, resume
from providers.bluegreen.actions.rehearsing import rehearse, release_command
from providers.bluegreen.actions.removing import delete_app, destroy, keep_warm
from providers.bluegreen.actions.switching import cordon, mark_serving, prove_routed, uncordon
from providers.bluegreen.actions.testing import run_test
from providers.bluegreen.actions.waiting import (
    await_healthy,
    await_started,
    await_stopped,
    look_at_green_again,
)
from providers.bluegreen.actions.watching import bake, stay_healthy
from providers.bluegreen.context import Context
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Observation
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene

Action = Callable[[Context, Scene, Step], Awaitable[Observation]]

ACTIONS: dict[Do, Action] = {
    Do.CREATE_APP: create_app,
    Do.SET_SECRETS: set_secrets,
    Do.RELEASE_COMMAND: release_command,
    Do.CREATE: create,
    Do.AWAIT_STARTED: await_started,
    Do.AWAIT_HEALTHY: await_healthy,
    Do.STAY_HEALTHY: stay_healthy,
    Do.TEST: run_test,
    Do.CHECK_OWNER: check_owner,
    Do.REHEARSE: rehearse,
    Do.AWAIT_APPROVAL: await_approval,
    Do.PREPARE_DRAIN: prepare_drain,
    Do.CORDON: cordon,
    Do.QUIESCE: quiesce,
    Do.STOP: stop,
    Do.AWAIT_STOPPED: await_stopped,
    Do.READ_EXITS: read_exits,
    Do.PROVE_SAVED: prove_state,
    Do.LOOK_AGAIN: look_at_green_again,
    Do.COMMIT: commit,
    Do.JOIN: join,
    Do.UNCORDON: uncordon,
    Do.PROVE_ROUTED: prove_routed,
    Do.MARK_SERVING: mark_serving,
    Do.BAKE: bake,
    Do.RESTORE_SECRETS: restore_secrets,
    Do.RECLAIM: reclaim,
    Do.RESUME: resume,
    Do.START: start,
    Do.KEEP_WARM: keep_warm,
    Do.DESTROY: destroy,
    Do.DELETE_APP: delete_app,
}
