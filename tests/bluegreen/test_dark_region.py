"""A region that the proxy takes no user to: another one answers instead, and that is not taken for its answer."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import pytest

from providers.bluegreen import conditions
from providers.bluegreen.actions import switching, watching
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.report import outcome_text
from simulator.routes import Route
from tests.bluegreen.promises import Rules
from tests.bluegreen.test_after_switch import BY_REQUEST, NAMES1, NAMES2, OVERLAP, pass_time, serve, states
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

DARK = "rooms-g2-iad-1"
SHORT = {"deadlines": {"switch_routes": "20s"}}


def darken(kit: Kit) -> None:
    """The proxy knows nothing of green in iad any more, although its uncordon is accepted."""
    tell = kit.world.routes.tell

    def told(app: str, routes: Iterable[Route] | None) -> None:
        dark = {machine.id for machine in kit.machines() if machine.name == DARK}
        tell(app, routes and [route for route in routes if route.target.machine_id not in dark])

    kit.world.routes.tell = told  # type: ignore[method-assign]
    tell_again(kit)


def lighten(kit: Kit) -> None:
    """The proxy learns what it is told, and is told at once."""
    del kit.world.routes.tell
    tell_again(kit)


def tell_again(kit: Kit) -> None:
    kit.world.routes.tell("rooms", kit.world._told["rooms"].values())


async def switch_in_the_dark(kit: Kit) -> Outcome:
    await serve(kit, V1)
    darken(kit)
    kit.promises.without = ("a whole cluster is routed outside the window",)  # that is what the darkness is
    return await kit.deploy(spec(image=V2, **SHORT))


def test_a_dark_region_is_named_and_the_next_run_goes_on() -> None:
    """Behind the commit point: green stays, the ending names region and who answers there, and `up` finishes."""

    async def test(kit: Kit) -> None:
        outcome = await switch_in_the_dark(kit)
        assert not outcome.succeeded
        assert kit.routed() == {"rooms-g2-ams-1"}
        told = outcome_text("rooms", outcome)
        (lit,) = (machine.id for machine in kit.machines() if machine.name == "rooms-g2-ams-1")
        assert f"an answer in iad: machine {lit} answers, which is in ams" in told
        assert set(states(kit)) >= NAMES2
        lighten(kit)
        again = await kit.deploy(spec(image=V2, **SHORT))
        assert again.ending is Ending.DEPLOYED, again.failure
        assert kit.routed() == NAMES2
        assert kit.lost() == set()

    simulate(test)


def test_without_a_look_at_the_region_the_dark_one_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: any machine of green would be an answer for all regions."""
    for module in (conditions, switching, watching):
        monkeypatch.setattr(module, "answered_elsewhere", lambda answer, machines: "")

    async def test(kit: Kit) -> None:
        outcome = await switch_in_the_dark(kit)
        assert outcome.ending is Ending.DEPLOYED
        assert kit.routed() == {"rooms-g2-ams-1"}

    simulate(test)


async def darken_in_the_bake(kit: Kit) -> None:
    while not any("bake: " in line for line in kit.said):
        await pass_time(0.5)
    darken(kit)


def test_a_region_that_gets_dark_in_the_bake_ends_it() -> None:
    """Its machine is well by its own checks, and users are taken to another region: blue takes the state back."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1, **BY_REQUEST)
        kit.promises.without = ("a whole cluster is routed outside the window",)
        async with anyio.create_task_group() as group:
            group.start_soon(darken_in_the_bake, kit)
            outcome = await kit.deploy(spec(image=V2, bake="60s", **BY_REQUEST))
        assert outcome.ending is Ending.ROLLED_BACK, outcome.failure
        assert "no answer from outside in iad" in outcome_text("rooms", outcome)
        await pass_time(1.0)
        assert kit.routed() == NAMES1

    simulate(test)


def test_a_green_that_answers_nobody_fails_its_bake_although_blue_answers() -> None:
    """The negative control: each machine of green is asked for by its id."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1, **OVERLAP)
        kit.promises.without = ("a whole cluster is routed outside the window",)
        async with anyio.create_task_group() as group:
            group.start_soon(darken_in_the_bake, kit)
            outcome = await kit.deploy(spec(image=V2, bake="60s", **OVERLAP))
        assert outcome.ending is Ending.ROLLED_BACK, outcome.failure
        assert "no answer from outside in iad" in outcome_text("rooms", outcome)

    simulate(test, rules=Rules(handoff=False))
