"""The stacks of a team, previewed by the real engine as their files stand there: only Fly and S3 are local."""

from __future__ import annotations

import pytest
import yaml

from demo.local import CHECKOUT
from demo.stack_config import PROJECT
from tests.engine.stack import Stack
from tests.engine.test_real_engine import ok

GATES = {
    "staging": (
        "fly:FlyIngress app-ingress create",
        "rollout of my-game-staging (handoff)",
        "create machines, unrouted: 2 machines (ams 1, iad 1)",
        "test answers",
    ),
    "prod": (
        "rollout of my-game (handoff)",
        "create machines, unrouted: 6 machines (ams 2, iad 2, sin 2)",
        "watch that every check stays passing",
        "test answers",
    ),
}


@pytest.mark.parametrize("name", GATES)
def test_each_stack_of_fly_is_previewed_with_its_own_gates(name: str, stack: Stack) -> None:
    """A first deploy of staging and of prod, each with its regions and what it waits for; nothing is changed."""
    told = yaml.safe_load((CHECKOUT / "stacks" / f"Pulumi.{name}.yaml").read_text())["config"]
    stack.config = {key.removeprefix(f"{PROJECT}:"): value for key, value in told.items()}
    stack.config["api_url"] = stack.platform.api_url
    stack.config["state_store"]["endpoint_url"] = stack.platform.s3_url
    before = stack.mark()
    shown = ok(stack.preview())
    for text in GATES[name]:
        assert text in shown
    assert stack.changes_since(before) == []
