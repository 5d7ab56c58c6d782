"""The Machines API answers anything at all, at any call: a named ending or a refusal follows, fit to be shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending, Outcome
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec
from tests.hostile.words import MOST_CHARACTERS, NASTY, anything, told, unfit

SHORT = {
    "create_new": "20s",
    "verify": "20s",
    "drain_old": "20s",
    "switch_routes": "20s",
    "retire_old": "20s",
}
SPEC1, SPEC2 = spec(image=V1, deadlines=SHORT), spec(image=V2, deadlines=SHORT)
FIELDS = ("id", "name", "state", "region", "instance_id", "private_ip", "checks", "events", "config", "nonce")
RUNS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Lies(httpx.AsyncBaseTransport):
    """The API, whose answers from the ``at``-th call on (or that one alone) are what ``lie`` makes of them."""

    inner: httpx.AsyncBaseTransport
    at: int
    lie: Any
    for_ever: bool = False
    calls: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        answer = await self.inner.handle_async_request(request)
        if self.calls < self.at or (self.calls > self.at and not self.for_ever):
            return answer
        try:
            true = json.loads(await answer.aread() or b"{}")
        except ValueError:
            true = {}
        status, body = self.lie(true)
        return httpx.Response(status or answer.status_code, content=json.dumps(body).encode())


def run_with(at: int, lie: Any, *, for_ever: bool) -> None:
    """v1 serves; the update meets the lies; then the API is itself again."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.edit_everywhere()
        kit.said.clear()
        real, outcome, refused = kit.http, None, None
        kit.http = Lies(real, at, lie, for_ever)
        try:
            outcome = await kit.deploy(SPEC2)
        except CannotLook as error:
            refused = error
        shown = told(SPEC2, kit.said, outcome, refused)
        assert unfit(shown) == []
        assert len("".join(shown)) < MOST_CHARACTERS
        kit.http = real
        await _served(kit, outcome, one_lie=not for_ever)

    simulate(test)


async def _served(kit: Kit, outcome: Outcome | None, *, one_lie: bool) -> None:
    with anyio.move_on_after(20.0):
        await anyio.sleep_forever()
    if one_lie:
        # A machine that is said not to be ours is left alone, for the next run.
        kit.promises.without = {"success leaves nothing else"}
        kit.end(outcome)
    assert kit.lost() == set()
    again = await kit.deploy(SPEC2)
    assert again.ending in (Ending.DEPLOYED, Ending.UNCHANGED), again.failure
    assert outcome is None or isinstance(outcome.ending, Ending)


@pytest.mark.long
@RUNS
@given(at=st.integers(1, 60), body=anything, status=st.sampled_from([0, 200, 404, 409, 422, 500, 302, 999]))
def test_an_answer_of_any_shape_ends_by_name(at: int, body: Any, status: int) -> None:
    """One answer is replaced by any JSON, under any status: nothing is lost, and the next run finishes."""
    run_with(at, lambda true: (status, body), for_ever=False)


@pytest.mark.long
@RUNS
@given(at=st.integers(1, 60), field=st.sampled_from(FIELDS), value=anything)
def test_one_field_of_a_machine_may_hold_anything(at: int, field: str, value: Any) -> None:
    """A machine whose answer is right but for one field, of any type and content."""

    def lie(true: Any) -> tuple[int, Any]:
        machines = true if isinstance(true, list) else [true]
        for machine in machines[:1]:
            if isinstance(machine, dict):
                machine[field] = value
        return 0, true

    run_with(at, lie, for_ever=False)


@pytest.mark.parametrize("nasty", NASTY, ids=lambda text: ascii(text)[:20])
@pytest.mark.parametrize("field", ["name", "state", "region", "check", "error"])
def test_what_the_api_says_is_fit_to_be_shown(field: str, nasty: str) -> None:
    """Green never gets healthy, and each text of its machines may be shown: none of them moves a terminal."""

    def lie(true: Any) -> tuple[int, Any]:
        machines = true if isinstance(true, list) else [true]
        for machine in machines:
            if isinstance(machine, dict) and "-g2-" in str(machine.get("name")):
                _spoil(machine, field, nasty)
        return (422, {"error": nasty}) if field == "error" else (0, true)

    run_with(12, lie, for_ever=True)


def _spoil(machine: dict[str, Any], field: str, nasty: str) -> None:
    if field == "check":
        machine["checks"] = [{"name": f"servicecheck-{nasty}", "status": "critical", "output": nasty}]
    elif field == "name":
        machine["name"] += nasty
    else:
        machine[field] = nasty


@pytest.mark.parametrize("nasty", [*NASTY, "é", "a b"], ids=lambda text: ascii(text)[:20])
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_nonce_of_any_shape_breaks_nothing(nasty: str, for_ever: bool) -> None:
    """It goes into a header: one that HTTP does not allow is no nonce."""

    def lie(true: Any) -> tuple[int, Any]:
        for holder in (true, true.get("data") if isinstance(true, dict) else None):
            if isinstance(holder, dict) and "nonce" in holder:
                holder["nonce"] = nasty
        return 0, true

    run_with(1, lie, for_ever=for_ever) if for_ever else run_with(3, lie, for_ever=False)
