"""What somebody has changed by hand is seen, told without values, and put right by a rollout."""

from __future__ import annotations

from typing import Any

import pytest

from providers.bluegreen.drift import differences
from providers.bluegreen.outcome import Ending
from providers.bluegreen.spec import machine_config
from providers.fly import Machine
from tests.bluegreen.fly_made import change
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

WANTED = spec(image=V1, env={"LEVEL": "info", "TOKEN_OF_OLD": "canary-19aa"})


def machine(**changed: Any) -> Machine:
    config = machine_config(WANTED, env={"BLUEGREEN_RELEASE": "1-abc"}, metadata={})
    return Machine(id="148e21ea7d5e38", name="rooms-g1-ams-1", state="started", config=config | changed)


def test_what_fly_completes_and_rewrites_is_no_drift() -> None:
    """Durations in Go's way, defaults, and what another version of this code tells its machines."""
    config = machine().config
    assert config
    service = config["services"][0]
    completed = machine(
        guest={**config["guest"], "persist_rootfs": "never"},
        services=[
            {**service, "force_instance_key": None, "checks": [{"type": "http", "interval": "5000ms"}]}
        ],
        stop_config={"signal": "SIGTERM", "timeout": "1m0s"},
        env={**config["env"], "BLUEGREEN_NEWER": "1"},
        init={},
    )
    assert differences(machine(), WANTED) == differences(completed, WANTED) == ()
    unreadable = Machine(id="148e21ea7d5e38", state="started", host_status="unknown")
    assert differences(unreadable, WANTED) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"image": V2}, f"its image is {V2}"),
        (
            {"env": {"LEVEL": "canary-55", "MORE": "canary-56"}},
            "its env differs in LEVEL, MORE, TOKEN_OF_OLD",
        ),
        ({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}}, "its size is shared 2 512"),
        ({"services": []}, "its services are none"),
        ({"services": "?", "env": None, "guest": 3}, "its env differs in LEVEL, TOKEN_OF_OLD"),
    ],
    ids=["image", "env", "guest", "services", "nonsense"],
)
def test_what_a_person_changes_is_told_without_values(changed: dict[str, Any], told: str) -> None:
    """Each in its own words; of the environment the names alone."""
    found = differences(machine(**changed), WANTED)
    assert told in found
    assert "canary" not in "".join(found)


@pytest.mark.parametrize("changed", [{"image": V2}, {"env": {"LEVEL": "debug"}}], ids=["image", "env"])
def test_a_machine_changed_by_hand_is_put_right_by_a_rollout(changed: dict[str, Any]) -> None:
    """`fly machine update` of one: the next run brings up a whole new cluster, hands over, and is quiet again."""

    async def test(kit: Kit) -> None:
        wanted = spec(image=V1, env={"LEVEL": "info"})
        assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
        assert (await kit.deploy(wanted)).ending is Ending.UNCHANGED
        ours = next(found for found in kit.machines() if found.name == "rooms-g1-ams-1")
        env = {name: value for name, value in ours.config["env"].items() if name.startswith("BLUEGREEN_")}
        given = {**changed, **({"env": env | changed["env"]} if "env" in changed else {})}
        await change(kit, "rooms-g1-ams-1", **given)
        outcome = await kit.deploy(wanted)
        assert outcome.ending is Ending.DEPLOYED
        assert outcome.serving
        assert outcome.serving.release.generation == 2
        assert (
            kit.routed() == {found.name for found in kit.machines()} == {"rooms-g2-ams-1", "rooms-g2-iad-1"}
        )
        assert (await kit.deploy(wanted)).ending is Ending.UNCHANGED

    simulate(test)


def test_a_drifted_cluster_is_drained_as_it_is_when_a_new_version_comes() -> None:
    """Another image is a rollout anyway: what was changed by hand is drained and proven like any blue."""

    async def test(kit: Kit) -> None:
        assert (await kit.deploy(spec(image=V1))).ending is Ending.DEPLOYED
        await change(kit, "rooms-g1-ams-1", image=V2)
        outcome = await kit.deploy(spec(image=V2))
        assert outcome.ending is Ending.DEPLOYED
        assert sum(proof.objects for proof in outcome.proofs) == 2

    simulate(test)
