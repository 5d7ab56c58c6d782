"""What each step of the lifecycle does: one function a verb, each answering the world as it is known afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from providers.bluegreen.actions.creating import create, create_app, restore_secrets, set_secrets
from providers.bluegreen.actions.draining import prove_state, read_exits, start, stop
from providers.bluegreen.actions.removing import delete_app, destroy
from providers.bluegreen.actions.switching import commit, cordon, mark_serving, prove_routed, uncordon
from providers.bluegreen.actions.waiting import (
    await_healthy,
    await_started,
    await_stopped,
    look_at_green_again,
)
from providers.bluegreen.context import Context
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Observation
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene

Action = Callable[[Context, Scene, Step], Awaitable[Observation]]

ACTIONS: dict[Do, Action] = {
    Do.CREATE_APP: create_app,
    Do.SET_SECRETS: set_secrets,
    Do.CREATE: create,
    Do.AWAIT_STARTED: await_started,
    Do.AWAIT_HEALTHY: await_healthy,
    Do.CORDON: cordon,
    Do.STOP: stop,
    Do.AWAIT_STOPPED: await_stopped,
    Do.READ_EXITS: read_exits,
    Do.PROVE_SAVED: prove_state,
    Do.LOOK_AGAIN: look_at_green_again,
    Do.COMMIT: commit,
    Do.UNCORDON: uncordon,
    Do.PROVE_ROUTED: prove_routed,
    Do.MARK_SERVING: mark_serving,
    Do.RESTORE_SECRETS: restore_secrets,
    Do.START: start,
    Do.DESTROY: destroy,
    Do.DELETE_APP: delete_app,
}
