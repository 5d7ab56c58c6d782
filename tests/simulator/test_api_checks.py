"""Promises about health checks: when they pass, and what follows from them."""

from math import inf

import pytest

from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import SERVICE, V1, Kit, let_pass, play


def test_checks_turn_passing_when_the_program_is_healthy() -> None:
    """Checks exist once started, are critical at first, and pass at the interval after the program got healthy."""

    async def story(kit: Kit) -> None:
        top = {"alive": {"type": "tcp", "port": 8080, "interval": "1s"}}
        machine_id = await kit.create_started({"services": [SERVICE, SERVICE], "checks": top})
        checks = (await kit.get(machine_id))["checks"]
        assert [check["name"] for check in checks] == [
            "servicecheck-00-http-8080",
            "servicecheck-01-http-8080",
            "alive",
        ]
        assert {check["status"] for check in checks} == {"critical"}
        await let_pass(5.5)
        assert {check["status"] for check in (await kit.get(machine_id))["checks"]} == {"passing"}

    play(story, images={V1: Behaviour(healthy_after=4.5)})


def test_failing_check_never_restarts_a_machine() -> None:
    """A check that fails takes a machine out of routing and does nothing else."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"services": [SERVICE]})
        await let_pass(40)
        assert (await kit.get(machine_id))["state"] == "started"
        assert await kit.read_exits(machine_id) == []
        changes = [record["machine_ids"] for record in kit.world.history.read(kind="routes")]
        assert changes[:4] == [[machine_id], [], [machine_id], []]

    play(story, images={V1: Behaviour(healthy_after=0, flap_seconds=10)})


@pytest.mark.parametrize(("kind", "gates"), [("readiness", True), ("informational", False)])
def test_top_level_checks_gate_routing_only_as_readiness(kind: str, gates: bool) -> None:
    """A top-level check keeps traffic away only when it is of kind readiness."""

    async def story(kit: Kit) -> None:
        checks = {"c": {"type": "tcp", "port": 1, "kind": kind, "interval": "1s"}}
        machine_id = await kit.create_started({"services": [{"internal_port": 8080}], "checks": checks})
        await let_pass(10)
        assert kit.list_routed() == ([] if gates else [machine_id])

    play(story, images={V1: Behaviour(healthy_after=inf)})
