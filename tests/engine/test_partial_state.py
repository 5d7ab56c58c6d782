"""Failures that have reached a new state: Pulumi's state says so, and the next ``up`` goes on from there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.stack import Stack
from tests.engine.test_real_engine import V2, WAITING, ok, version

pytestmark = pytest.mark.long

CANARY = "canary-91cc"
NOBODY_ANSWERS = {"path": "/nobody-answers-here", "machine_key": "machine_id"}
SICK = {"alive": {"type": "http", "port": 8080, "path": "/no-such-path", "interval": "1s"}}


def resource(stack: Stack) -> dict[str, Any] | None:
    """The resource as the state has it."""
    found = json.loads(stack.state())["deployment"].get("resources", [])
    return next((one for one in found if one["type"].endswith("fly:BlueGreenFlyApp") and one.get("id")), None)


@pytest.mark.saver
def test_behind_the_commit_point_the_state_says_that_green_serves(stack: Stack) -> None:
    """Outputs and reasons are in the state; a preview says why there is more to do, and the next up does it."""
    stack.environ["BLUEGREEN_PLAN_DIR"] = str(stack.folder / "plans")
    stack.set_secret("secret_env.API_KEY", f"{CANARY}-old")
    ok(stack.up(tests=[]))
    stack.set_secret("secret_env.API_KEY", f"{CANARY}-new")
    failed = stack.up(image=V2, routing_probe=NOBODY_ANSWERS, deadlines={"switch_routes": "2s"})
    assert failed.returncode != 0
    assert "unfinished in switch-routes" in failed.stdout
    assert "Exception calling application" not in failed.stdout
    reached = resource(stack)
    assert reached
    assert reached["outputs"]["phase"] == "switch-routes"
    assert reached["outputs"]["release"].startswith("2-")
    assert (reached["outputs"]["image"], reached["outputs"]["generation"]) == (V2, 2)
    assert "pulumi up" in reached["initErrors"][0]
    assert reached["outputs"]["blue_secret_env"], "a rollback from here would need them"
    assert CANARY not in stack.state()
    shown = ok(stack.preview(routing_probe={"path": "/version", "machine_key": "machine_id"}))
    assert "why: unfinished rollout: release 2-" in shown
    plan = json.loads((stack.folder / "plans" / "rooms.json").read_text())
    assert [phase["phase"] for phase in plan["phases"]] == ["switch-routes", "retire-old"]
    ok(stack.up())
    assert version(stack)["version"] == "v2"
    assert "initErrors" not in (resource(stack) or {})
    before = stack.mark()
    shown = ok(stack.preview(deadlines={"verify": "9m"}))
    assert "no machine is touched" in shown
    assert "change: deadlines.verify: 5m → 9m" in shown
    assert stack.changes_since(before) == []
    for text in (failed.stdout, shown, stack.state(), json.dumps(plan)):
        assert CANARY not in text


@pytest.mark.saver
def test_a_first_deploy_that_fails_leaves_a_resource_only_where_machines_are_left(stack: Stack) -> None:
    """Nothing is there and nothing is recorded; a green that is kept on request is recorded, and can be destroyed.

    Nobody watches it, in pipes, and in a terminal of CI: no line of it says what is waited for, each step is one line.
    """
    changes = {"checks": SICK, "deadlines": {"verify": "2s"}, "tests": [], "rehearsal": None}
    failed = stack.up(**changes)
    assert failed.returncode != 0
    assert "nothing serves" in failed.stdout
    assert resource(stack) is None
    assert stack.machines() == {}
    watched = stack.watch("up", "--yes", "--skip-preview", ci=True, keep_failed_green=True)
    assert watched.returncode != 0
    for told in (failed.stdout, watched.stdout):
        assert not WAITING.search(told)
        lines = [line.strip() for line in told.partition("Diagnostics:")[2].splitlines()]
        assert (
            lines.count("phase 2 of 3 verify: wait until every check passes (green): 1 in ams, 1 in iad") == 1
        )
    left = resource(stack)
    assert left
    assert left["outputs"]["phase"] == "verify"
    assert len(stack.machines()) == 2
    ok(stack.run("destroy", "--yes", "--skip-preview"))
    assert stack.machines() == {}
    assert resource(stack) is None
