"""What `infra.py` asks for: `python -m pytest examples/unit_test`."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from examples.unit_test.infra import deploy

DEPLOYMENT = "pulumi-python:dynamic/fly:BlueGreenFlyApp"


class Fly(pulumi.runtime.Mocks):
    """Keeps what is registered; answers as a deployed app does."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The resource's id and its outputs."""
        self.inputs[args.typ] = args.inputs
        return f"{args.name}-id", {**args.inputs, "url": f"https://{args.inputs.get('app')}.fly.dev"}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """No function is called."""
        return {}, None


@pytest.fixture
def fly() -> Fly:
    """Mocks for one test."""
    mocks = Fly()
    pulumi.runtime.set_mocks(mocks, preview=False)
    return mocks


@pulumi.runtime.test
def test_production_has_two_machines_a_region_and_waits_for_approval(fly: Fly) -> pulumi.Output[None]:
    """Inputs arrive as they were given."""

    def check(url: str) -> None:
        inputs = fly.inputs[DEPLOYMENT]
        assert url == "https://my-game-prod.fly.dev"
        assert inputs["regions"] == {"ams": 2, "iad": 2}
        assert inputs["approval"] == "manual"

    return deploy("prod", "registry.fly.io/my-game:v2").url.apply(check)


@pulumi.runtime.test
def test_each_environment_saves_below_a_prefix_of_its_own(fly: Fly) -> pulumi.Output[None]:
    """Staging never writes over production's state."""

    def check(_: str) -> None:
        assert fly.inputs[DEPLOYMENT]["state_store"]["prefix"] == "staging/"

    return deploy("staging", "registry.fly.io/my-game:v2").url.apply(check)
