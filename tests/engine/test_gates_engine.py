"""Gates through the real engine: tests in plan and output, approval over two runs, failures told in full."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from providers.bluegreen.durations import seconds
from providers.bluegreen.journal import WARM
from tests.engine.stack import Stack
from tests.engine.test_real_engine import V2, ok, version

pytestmark = pytest.mark.long

HTTP = {"type": "http", "name": "answers", "path": "/version", "expect": {"json": {"version": "v2"}}}
SMOKE = {
    "type": "command",
    "name": "smoke",
    "argv": ["sh", "-c", "echo asked $BLUEGREEN_REGIONS; exit $CODE"],
}
CANARY = "canary-77aa"
KEPT = "3s"
BLUE, GREEN = ({f"rooms-g{generation}-{region}-1" for region in ("ams", "iad")} for generation in (1, 2))


@pytest.mark.saver
def test_tests_are_in_the_plan_in_the_progress_and_in_the_outputs(stack: Stack) -> None:
    """Each has its own row before anything runs, its lines while it runs, and its result afterwards.

    Blue is kept warm for a moment: the next `up` says that its time is over, and destroys it and nothing else.
    """
    ok(stack.up(tests=[], drain={"type": "stop"}))
    tests = [HTTP, SMOKE | {"env": {"CODE": "0"}}]
    shown = ok(stack.preview(image=V2, tests=tests))
    assert "test answers (http, per-machine, within 30s): 2 machines (ams 1, iad 1) [gate]" in shown
    assert "test smoke (command, once, within 30s)" in shown
    told = ok(stack.up(keep_warm=KEPT))
    assert "test smoke | asked ams iad" in told
    assert set(stack.machines()) == BLUE | GREEN
    assert [result["name"] for result in stack.outputs()["test_results"]] == ["answers", "smoke"]
    assert stack.outputs()["proven"]["objects"] == 2
    assert version(stack)["version"] == "v2"
    _its_time_is_over(stack)


def kept_until(stack: Stack) -> float:
    """In epoch seconds, as it is written on blue."""
    headers = {"authorization": f"Bearer {stack.environ['FLY_API_TOKEN']}"}
    machines = stack.machines()
    urls = [
        f"{stack.platform.api_url}/v1/apps/rooms/machines/{machines[name]['machine_id']}" for name in BLUE
    ]
    found = [httpx.get(url, headers=headers, trust_env=False).json() for url in urls]
    return max(float(machine["config"]["metadata"][WARM].split()[0]) for machine in found)


def await_the_end_of(until: float) -> None:
    assert until < time.time() + 2 * seconds(KEPT), "it is kept for longer than it should be"
    while (left := until - time.time()) >= 0:
        time.sleep(left + 0.01)


def _its_time_is_over(stack: Stack) -> None:
    machines, before = stack.machines(), stack.mark()
    await_the_end_of(kept_until(stack))
    told = ok(stack.up())
    assert "why: expired: release 1-" in told
    assert "was kept warm, and its time is over" in told
    assert set(stack.machines()) == GREEN
    ids = {machines[name]["machine_id"] for name in BLUE}
    changed = [r for r in stack.changes_since(before) if not r["path"].endswith("/lease")]
    assert {(r["action"], r["machine_id"]) for r in changed} == {("delete_machine", one) for one in ids}


@pytest.mark.saver
def test_a_failing_test_fails_the_up_and_names_itself(stack: Stack) -> None:
    """What it said, that blue serves, and the next command; blue was neither cordoned nor signalled."""
    ok(stack.up(tests=[], drain={"type": "stop"}))
    before = stack.mark()
    failed = stack.up(image=V2, tests=[SMOKE | {"env": {"CODE": "3"}}])
    assert failed.returncode != 0
    assert "test smoke failed (once): sh exited with code 3" in failed.stdout
    assert "serving: release 1-" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert not [r for r in stack.changes_since(before) if r["action"] in ("cordon", "stop", "signal")]
    assert set(stack.machines()) == {"rooms-g1-ams-1", "rooms-g1-iad-1"}


@pytest.mark.saver
def test_an_approval_is_a_second_up(stack: Stack) -> None:
    """The first ends well with blue serving; the second, with the name of what waits, switches and builds nothing."""
    stack.set_secret("secret_env.API_KEY", f"{CANARY}-old")
    ok(stack.up(tests=[], approval="manual"))
    assert version(stack)["version"] == "v1"
    stack.set_secret("secret_env.API_KEY", f"{CANARY}-new")
    told = ok(stack.up(image=V2))
    outputs = stack.outputs()
    pending = outputs["pending_release"]
    assert pending.startswith("2-")
    assert f"set approved_release to {pending}" in told
    assert (outputs["phase"], outputs["release"][:2]) == ("awaiting approval", "1-")
    assert version(stack)["version"] == "v1"
    assert CANARY not in stack.state()
    assert "blue_secret_env" in json.dumps(json.loads(stack.state()))
    assert "approval" in ok(stack.preview())
    machines = set(stack.machines())
    ok(stack.up(approved_release=pending))
    assert version(stack)["version"] == "v2"
    assert stack.outputs()["pending_release"] == ""
    assert set(stack.machines()) < machines
