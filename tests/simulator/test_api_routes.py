"""Promises about what the proxy learns, when, and whom it picks."""

import anyio
import pytest

from simulator.regions import measure_distance
from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import SERVICE, V1, Kit, let_pass, play

CONFIG = {"services": [SERVICE]}


async def settle() -> None:
    """Long enough for every check and every delay of these tests."""
    await let_pass(30)


def test_only_routable_machines_are_picked() -> None:
    """A machine is routed to while it is started, registered, uncordoned, healthy, and has a service."""

    async def story(kit: Kit) -> None:
        kit.runtime.script("ill", Behaviour(healthy_after=1e9))
        wanted = await kit.create_started(CONFIG, name="whole")
        await kit.create_started(CONFIG, name="ill")
        await kit.create_started({}, name="without-service")
        await kit.create_started(CONFIG, name="unregistered", skip_service_registration=True)
        await kit.create(CONFIG, name="not-started", skip_launch=True)
        cordoned = await kit.create_started(CONFIG, name="cordoned")
        await kit.act(cordoned, "cordon")
        await settle()
        assert kit.list_routed() == [wanted]
        target = kit.world.routes.pick("rooms", edge="ams")
        assert target is not None
        assert (target.machine_id, target.port, target.app) == (wanted, 8080, "rooms")

    play(story)


def test_skipped_registration_lasts_until_uncordon() -> None:
    """skip_service_registration shows as cordoned and keeps a healthy machine unrouted until it is uncordoned."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started(CONFIG, skip_service_registration=True)
        await settle()
        assert (await kit.get(machine_id))["cordoned"] is True
        assert kit.list_routed() == []
        await kit.act(machine_id, "uncordon")
        await settle()
        assert (await kit.get(machine_id))["cordoned"] is False
        assert kit.list_routed() == [machine_id]

    play(story)


def test_changes_reach_the_proxy_after_the_delay() -> None:
    """The proxy goes on with what it knew until the delay has passed, and then tells those who wait for a change."""

    async def story(kit: Kit) -> None:
        routes = kit.world.routes
        machine_id = await kit.create_started(CONFIG)
        await settle()
        began = anyio.current_time()
        await kit.act(machine_id, "cordon")
        assert routes.pick("rooms", edge="ams") is not None
        await routes.changed("rooms")
        assert anyio.current_time() - began == pytest.approx(3)
        assert routes.pick("rooms", edge="ams") is None

    play(story, proxy_delay=3.0)


def test_nearest_region_then_least_loaded_is_picked() -> None:
    """The preferred region goes first, then the nearest to the edge, then the machine with the fewest connections."""

    async def story(kit: Kit) -> None:
        ids = {region: await kit.create_started(CONFIG, region=region) for region in ("ams", "iad", "syd")}
        twin = await kit.create_started(CONFIG, region="ams")
        await settle()
        routes = kit.world.routes

        def pick(edge: str, **wish: str) -> str:
            target = routes.pick("rooms", edge=edge, **wish)
            assert target is not None
            return target.machine_id

        assert pick("ewr") == ids["iad"]
        assert pick("nrt") == ids["syd"]
        assert pick("nrt", prefer="iad") == ids["iad"]
        assert pick("fra", prefer="gru") in (ids["ams"], twin)
        first = routes.pick("rooms", edge="fra")
        assert first is not None
        routes.opened(first)
        assert {first.machine_id, pick("fra")} == {ids["ams"], twin}
        routes.closed(first)
        assert pick("fra") == first.machine_id
        assert routes.pick("rooms", edge="fra", exclude=frozenset([*ids.values(), twin])) is None

    play(story)


def test_instance_is_reached_past_its_checks_but_not_past_a_cordon() -> None:
    """Asking for one machine ignores its health and respects its cordon."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started(CONFIG)
        await settle()
        assert kit.world.routes.pick("rooms", edge="ams") is None
        target = kit.world.routes.pick("rooms", edge="ams", instance=machine_id)
        assert target is not None
        assert target.machine_id == machine_id
        await kit.act(machine_id, "cordon")
        await settle()
        assert kit.world.routes.pick("rooms", edge="ams", instance=machine_id) is None

    play(story, images={V1: Behaviour(healthy_after=1e9)})


def test_deleted_app_is_forgotten() -> None:
    """The proxy knows an app from its creation to its deletion."""

    async def story(kit: Kit) -> None:
        await settle()
        assert kit.world.routes.apps() == ["rooms"]
        await kit.client.delete("/apps/rooms")
        await settle()
        assert kit.world.routes.apps() == []

    play(story)


def test_distances_are_great_circles() -> None:
    """Amsterdam to Ashburn is about 6200 km; an unknown place is infinitely far."""
    assert measure_distance("ams", "iad") == pytest.approx(6200, rel=0.02)
    assert measure_distance("ams", "ams") == 0
    assert measure_distance("ams", "xyz") == float("inf")
