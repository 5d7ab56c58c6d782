"""Plays a script from its first step to its final runs. The same script always plays the same history."""

from __future__ import annotations

import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import anyio
import httpx
from hypothesis.internal.entropy import deterministic_PRNG

from providers.bluegreen import failures
from simulator.clock import Clock
from simulator.http import create_app
from simulator.runtime_virtual import Behaviour, VirtualRuntime
from simulator.world import World
from tests import virtual_time
from tests.bluegreen.promises import Promises, Rules
from tests.bluegreen.scripted_app import ScriptedApp
from tests.bluegreen.virtual import TOKEN, Kit
from tests.bluegreen.watched import commit_of
from tests.histories.accounts import Accounts
from tests.histories.acts import ACTS
from tests.histories.closing import close
from tests.histories.deployer import Run
from tests.histories.driver import Driver
from tests.histories.outages import FailingStore
from tests.histories.specs import IMAGES
from tests.histories.steps import Script
from tests.histories.watch import Heard

EPOCH = 1_800_000_000.0
WITHOUT = ("calls stay inside the rate limits",)
"""Each run keeps the limits by itself; a run beside or right after another cannot know what that has used up."""
STATELESS = (
    "what was routed is saved before it is destroyed",
    "a whole cluster is routed outside the window",
    "a named ending leaves a whole cluster",
)
"""Under overlap no state is proven, and what was routed but never committed may be given up, cordoned."""


@dataclass
class Played:
    """What came of a script: all records of its history, its runs in order, and what happened how often."""

    records: list[dict[str, Any]]
    runs: list[Run]
    figures: Counter[str]


def play(script: Script) -> Played:
    """Raises ``AssertionError`` where a promise is broken."""
    with _repeatable(script.seed):
        try:
            return virtual_time.run(lambda: _play(script))
        except BaseExceptionGroup as group:
            raise next(failures.leaves(group)) from None


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Jitter, nonces and the order in which ready tasks run come from the seed: Hypothesis knows trio's generator.

    Jitter and nonces are this thread's alone. Others draw meanwhile: the keepalive of the browser's WebSocket was seen
    to. trio's generator is the process's: no other thread may run trio beside a history.
    """
    here = threading.get_ident()

    def ours(drawn: Callable[..., Any], others: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*bounds: Any) -> Any:
            source = drawn if threading.get_ident() == here else others
            return source(*bounds)

        return draw

    jitter = mock.patch("random.uniform", ours(random.Random(seed).uniform, random.uniform))
    nonces = mock.patch("secrets.token_bytes", ours(random.Random(seed).randbytes, secrets.token_bytes))
    with deterministic_PRNG(seed), jitter, nonces:
        yield


async def _play(script: Script) -> Played:
    clock = Clock(EPOCH)
    store = FailingStore(now=clock.now)
    handoff = script.cutover == "handoff"
    scripted = ScriptedApp(store, clock.now)
    accounts = Accounts(scripted, script.drain, script.cutover)
    rules = Rules(handoff, warm="warm" in script.extras, saved=lambda: store.saved() | accounts.ended)
    history = Heard(clock, Promises(rules, WITHOUT if handoff else WITHOUT + STATELESS), accounts)
    store.on_put, scripted.tell = commit_of(history), history.tell_app
    runtime = VirtualRuntime({image: Behaviour() for image in IMAGES})
    world = World(
        runtime=runtime,
        clock=clock,
        history=history,
        proxy_delay=0.2,
        regions=("ams", "iad"),
        seed=script.seed,
    )
    async with world, anyio.create_task_group() as tasks:
        http = httpx.ASGITransport(app=create_app(world, token=TOKEN))
        kit = Kit(world, runtime, http, store, scripted, history.promises)
        driver = Driver(script, kit, store, history, accounts, tasks)
        await _all_steps(driver)
        await close(driver)
    records = history.read()
    driver.figures["runs killed"] = sum(run.process.dead for run in driver.all_runs)
    driver.figures["API calls"] = sum(record["kind"] == "request" for record in records)
    return Played(records, driver.all_runs, driver.figures)


async def _all_steps(driver: Driver) -> None:
    for step in driver.script.steps:
        if await ACTS[type(step)](driver, step):
            driver.figures["steps"] += 1
            driver.figures[f"step {type(step).__name__}"] += 1
        driver.judge.after_step()
