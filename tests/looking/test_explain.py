"""What `explain` says of whole deployments in virtual time: what differs, what would be done, what it assumes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bluegreen import explaining
from bluegreen.__main__ import _explained
from bluegreen.explaining import UNSEEN, Explained, explain_destroy, explain_up
from bluegreen.target import Target
from providers.bluegreen.outcome import Ending
from providers.planning import plan_document
from tests.bluegreen.fly_made import change, fly_metadata
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

CANARY = "canary-7b0c"
CHECK = {"type": "tcp", "port": 8080, "interval": "60s"}
OLD: dict[str, Any] = {
    "image": V1,
    "env": {"KEPT": CANARY, "GONE": CANARY, "OTHER": CANARY},
    "checks": {"alive": CHECK},
}
BUILT = "registry.fly.io/rooms"


def explained(monkeypatch: pytest.MonkeyPatch, test: Callable[[Kit], Awaitable[None]]) -> None:
    """Run a test in virtual time, where ``explain`` asks the simulated platform."""

    async def here(kit: Kit) -> None:
        monkeypatch.setattr(explaining, "open_context", lambda wanted, hear: kit.context(wanted))
        await test(kit)

    simulate(here)


def text(found: Explained, command: str = "up") -> str:
    """What people read, in which nothing is said twice."""
    lines = list(_explained(found, command))
    assert len(lines) == len(set(lines))
    told = "\n".join(lines)
    assert all(told.count(reason) == 1 for reason in plan_document(found.planned)["reasons"])
    assert CANARY not in told + str(plan_document(found.planned))
    return told


def test_what_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Image, size, names in env, checks, how it drains, where it saves: all that machines show, and no value of env."""
    wanted = spec(
        image=V2,
        env={"KEPT": CANARY, "OTHER": f"{CANARY}2", "NEW": CANARY},
        guest={"memory_mb": 512},
        checks={"alive": CHECK, "ready": CHECK},
        regions={"ams": 2, "iad": 1},
        drain={"type": "request"},
        stop_config={"timeout": "90s"},
        state_store={"bucket": "another-state"},
    )

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(**OLD))
        found = await explain_up(Target(wanted))
        told = text(found)
        ready = "checks.ready: none → type tcp, port 8080"
        lines = [line.removeprefix("  change: ") for line in told.splitlines() if "  change: " in line]
        assert [line for line in lines if not line.startswith(ready)] == [
            f"image: {V1} → {V2}",
            "regions.ams: 1 → 2",
            "guest.memory_mb: 256 → 512",
            "env: -GONE, +NEW, ~OTHER",
            "stop_config.timeout: 60s → 90s",
            "state_store: changed",
            "drain: changed",
        ]
        assert any(line.startswith(ready) for line in lines)
        assert plan_document(found.planned)["changes"] == lines
        assert "why: the configuration is not that of release 1-" in told

    explained(monkeypatch, test)


def test_nothing_differs_where_fly_writes_the_same_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control. Durations in other units, and defaults that nobody asked for, are no difference; only what
    no machine shows is left, and that is said.
    """

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(**OLD, secret_env={"KEY": CANARY}))
        assert "would change nothing" in text(
            await explain_up(Target(spec(**OLD, secret_env={"KEY": CANARY})))
        )
        completed = {"stop_config": {"signal": "SIGTERM", "timeout": "1m0s"}, "init": {}}
        for machine in kit.machines():
            checks = {"alive": machine.config["checks"]["alive"] | {"interval": "1m0s", "timeout": "2000ms"}}
            await change(kit, machine.name, **completed, checks=checks)
        found = await explain_up(Target(spec(**OLD, secret_env={"KEY": f"{CANARY}2"})))
        assert list(found.planned.changes) == [UNSEEN]
        assert f"change: {UNSEEN}" in text(found)

    explained(monkeypatch, test)


def test_what_a_person_has_changed_is_told_as_drift_and_not_as_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One machine's image by hand: one reason names it, and the configuration is the same."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(**OLD))
        await change(kit, "rooms-g1-ams-1", image=V2)
        found = await explain_up(Target(spec(**OLD)))
        assert found.planned.changes == []
        assert f"its image is {V2}" in text(found)

    explained(monkeypatch, test)


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_a_run_that_refuses_has_no_rollout(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `fly deploy` has changed one machine: why it refuses, and no step, neither for people nor for programs."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(**OLD))
        await change(kit, "rooms-g1-ams-1", metadata=fly_metadata(12), image=V2)
        ask = explain_destroy if command == "destroy" else explain_up
        found = await ask(Target(spec(**OLD, drain={"type": "request"})))
        told = text(found, command)
        assert told.startswith(f"{command} refuses: `fly deploy` has changed release 1-")
        assert not any(word in told for word in ("create-new", "drain-old", "machines:", "nothing"))
        document = plan_document(found.planned)
        assert (document["phases"], document["machines"]["destroyed"]) == ([], {})
        assert document["reasons"][0].startswith(f"{command} refuses: ")

    explained(monkeypatch, test)


def test_a_destroy_is_shown_before_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drained and saved first, and the app goes where its machines record that it is ours; then nothing is left."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(**OLD))
        target = Target(spec(**OLD), ingress=True)
        found = await explain_destroy(target)
        told = text(found, "destroy")
        assert "destroy of rooms: blue 1-" in told
        assert all(part in told for part in ("drain-old", "delete app", "note: what `ingress` made"))
        assert plan_document(found.planned)["goal"] == "destroy"
        assert (await kit.deploy(spec(**OLD), goal="destroy", owns_app=True)).ending is Ending.DESTROYED
        assert "`pulumi destroy` would change nothing" in text(await explain_destroy(target), "destroy")

    explained(monkeypatch, test)


def test_an_image_that_is_to_be_built_is_taken_for_the_one_that_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which is said; what differs besides is told all the same. Before there is any, its release has no name."""

    async def test(kit: Kit) -> None:
        first = await explain_up(Target(spec(image=BUILT), built=True))
        assert "→ green 1, known later" in text(first)
        assert first.planned.known_later == ["image"]
        await kit.deploy(spec(**OLD))
        target = Target(spec(**OLD | {"image": BUILT}), built=True)
        same = text(await explain_up(target))
        assert same.startswith("rooms: `pulumi up` would change nothing")
        assert f"it is assumed to be the one that serves, {V1}; if its source has changed" in same
        changed = await explain_up(Target(spec(**OLD | {"image": BUILT, "env": {}}), built=True))
        assert list(changed.planned.changes) == ["env: -GONE, -KEPT, -OTHER"]
        assert "  change: image" not in text(
            await explain_up(Target(spec(**OLD | {"image": V2}), built=True))
        )

    explained(monkeypatch, test)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "would change nothing"),
        ({"regions": {"ams": 2, "iad": 1}}, "scale of rooms"),
        ({"drain": {"type": "request"}}, "since something else has changed"),
        ({"image": V2}, "since something else has changed"),
    ],
    ids=["same", "counts", "drain", "image"],
)
def test_encrypted_secrets_are_taken_for_those_that_serve_where_nothing_else_makes_a_release(
    changed: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that machines show is compared, also how they drain; counts alone make no other release."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(**OLD, secret_env={"KEY": CANARY}))
        wanted = spec(**OLD | changed, secret_env={"KEY": "[encrypted]"})
        found = await explain_up(Target(wanted, encrypted=frozenset({"secret_env"})))
        assert told in text(found)
        assert bool(found.planned.steps) == bool(changed)

    explained(monkeypatch, test)
