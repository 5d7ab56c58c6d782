"""verify over real processes: each kind of test, what a failing one leaves, and what goes through without the gate."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from tests.handover.kit import STAYING, TWO_REGIONS, V1, V2, Deployer, take_out
from tests.handover.untouched import Blue, assert_untouched

pytestmark = [pytest.mark.anyio, pytest.mark.long]

FETCH = """
import json, os, urllib.request
ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
versions = [json.load(ask.open(url + "/version"))["version"] for url in os.environ["BLUEGREEN_URLS"].split()]
print("versions:", *versions, "of", os.environ["BLUEGREEN_REGIONS"], "in", os.environ["BLUEGREEN_RELEASE"])
"""
INSIDE = "import os; print('inside', os.environ['FLY_MACHINE_ID'], os.environ['BLUEGREEN_RELEASE'])"
FAILS = "import sys; print('no such table'); sys.exit(3)"


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program]


def of_each_kind(good: bool) -> dict[str, dict[str, Any]]:
    """One test of each kind; the bad ones find something else than they expect."""
    version = {"json": {"version": "v2" if good else "v3"}}
    return {
        "http": {"type": "http", "name": "http", "path": "/version", "expect": version},
        "command": {"type": "command", "name": "command", "argv": python(FETCH if good else FAILS)},
        "exec": {"type": "exec", "name": "exec", "argv": python(INSIDE if good else FAILS)},
        "machine": {"type": "machine", "name": "machine", "argv": python(FETCH if good else FAILS)},
    }


GOOD, BAD = of_each_kind(good=True), of_each_kind(good=False)
FOUND = {"http": '"v3", got "v2"', "command": "code 3", "exec": "no such table", "machine": "no such table"}


@pytest.mark.saver
async def test_every_kind_of_test_reaches_a_green_that_nobody_is_routed_to(deployer: Deployer) -> None:
    """Over HTTP, from a command of the deployer's, inside each machine, and from a machine beside them."""
    deployer.regions = TWO_REGIONS
    await deployer.serve(V1)
    outcome = await deployer.deploy(V2, tests=list(GOOD.values()))
    assert outcome.ending is Ending.DEPLOYED, outcome.failure
    assert outcome.serving
    release, ids = str(outcome.serving.release), {m.id for m in outcome.serving.machines}
    assert [(result.name, "× 2" in result.summary) for result in outcome.tests] == [
        ("http", True),
        ("command", False),
        ("exec", True),
        ("machine", False),
    ]
    assert f"versions: v2 v2 of ams iad in {release}" in deployer.lines("test command | ")
    assert f"versions: v2 v2 of ams iad in {release}" in deployer.lines("test machine | ")
    assert set(deployer.lines("test exec | ")) == {f"inside {one} {release}" for one in ids}
    assert set(deployer.fly.machines()) == deployer.names(2)


@pytest.mark.parametrize("kind", BAD)
async def test_a_failing_test_leaves_blue_exactly_as_it_was(deployer: Deployer, kind: str) -> None:
    """No cordon, no signal, no socket closed; green is gone, and the failure says what the test found."""
    await deployer.serve(V1)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        outcome = await deployer.deploy(V2, tests=[BAD[kind]])
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.VERIFY
        told = " ".join(outcome.failure.reasons)
        assert f"test {kind} failed" in told or f"test {kind}:" in told
        assert FOUND[kind] in told
        assert set(deployer.fly.machines()) == set(before.machines)
        await assert_untouched(deployer, players, before)


async def test_without_the_gate_failing_tests_stop_nothing(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: with its rows taken out, the very same tests fail unnoticed."""
    take_out(monkeypatch, Do.TEST)
    await deployer.serve(V1)
    await deployer.serve(V2, tests=list(BAD.values()))


async def test_a_green_that_turns_ill_is_not_verified(deployer: Deployer) -> None:
    """It passed its checks once; it has to go on passing them for the whole of min_healthy."""
    await deployer.serve(V1)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        deployer.when("verify: check who owns the state", lambda: deployer.fly.freeze(2))
        outcome = await deployer.deploy(V2, min_healthy="30s")
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "must stay so for 30s" in " ".join(outcome.failure.reasons)
        await assert_untouched(deployer, players, before)


async def test_without_min_healthy_the_same_green_serves(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: nobody looks while it hangs, from its first good look to the end of the phase."""
    take_out(monkeypatch, Do.STAY_HEALTHY)
    await deployer.serve(V1)
    deployer.hang(2, "verify: check who owns the state", "drain-old: cordon")
    await deployer.serve(V2, min_healthy="30s")


async def test_a_failed_green_is_kept_for_inspection_when_asked(deployer: Deployer) -> None:
    """It runs unrouted beside blue, and the next run goes on with it."""
    await deployer.serve(V1)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        outcome = await deployer.deploy(V2, tests=[BAD["http"]], keep_failed_green=True)
        assert outcome.ending is Ending.ABORTED
        green = deployer.fly.processes(generation=2)
        assert set(green) == deployer.names(2)
        await assert_untouched(deployer, players, before)
    await deployer.serve(V2, tests=[GOOD["http"]])
    assert deployer.fly.processes(generation=2) == green
