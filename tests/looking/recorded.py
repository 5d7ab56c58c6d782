"""Timelines of whole deployments in virtual time: a success, a failed proof, a rollback."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import anyio

from providers.bluegreen.deploy import Request, deploy
from providers.bluegreen.events import Hear, all_of
from providers.bluegreen.outcome import Outcome
from providers.bluegreen.scene import Goal
from providers.bluegreen.spec import Spec
from providers.timeline.model import Timeline
from providers.timeline.record import Recorder
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

BY_REQUEST = {"drain": {"type": "request"}}
GONE = {"objects": [{"key": "rooms/gone.json", "etag": '"x"', "bytes": 1}]}
TESTS = {"tests": [{"type": "http", "name": "answers", "path": "/version"}]}


async def heard(
    kit: Kit, wanted: Spec, *listeners: Hear, goal: Goal = "deploy"
) -> tuple[Timeline | None, Outcome]:
    """One run of the deployment, with more listeners than its own."""
    recorder = Recorder(wanted.app, str)
    async with kit.context(wanted) as ctx:
        ctx.hear = all_of(ctx.hear, recorder.hear, *listeners)
        outcome = await deploy(ctx, Request(goal, known_generation=len(kit.outcomes)))
    kit.outcomes.append(outcome)
    return recorder.timeline(), outcome


def _deployed(wrong: str, app: Mapping[str, Any], more: Mapping[str, Any]) -> Timeline:
    made: list[Timeline] = []

    async def test(kit: Kit) -> None:
        if wrong:
            kit.runtime.script(wrong, kit.app(**app))
        await heard(kit, spec(image=V1, **BY_REQUEST))
        with anyio.move_on_after(1.0):
            await anyio.sleep_forever()
        kit.edit_everywhere()
        timeline, _ = await heard(kit, spec(image=V2, **BY_REQUEST, **more))
        assert timeline is not None
        made.append(timeline)

    simulate(test, seed=1)
    return made[0]


@cache
def success() -> Timeline:
    return _deployed("", {}, TESTS)


@cache
def aborted() -> Timeline:
    """One machine's manifest names an object that is not in the store."""
    return _deployed("rooms-g1-iad-1", {"manifest": GONE}, TESTS)


@cache
def rolled_back() -> Timeline:
    """Green falls ill while it bakes."""
    ill = {"flap_seconds": 10.0, "healthy_after": 0.5}
    return _deployed("rooms-g2-*", ill, MappingProxyType({"bake": "60s"}))
