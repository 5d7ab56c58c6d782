"""What the client reads of machines: exits in all their shapes, hosts that do not answer, addresses."""

from __future__ import annotations

from typing import Any

import pytest

from providers.fly import Machine, errors
from tests.fly.answers import MACHINE, Answers, ask, ok

CLEAN = {"exit_code": 0, "signal": -1, "guest_exit_code": 0, "guest_signal": -1, "oom_killed": False}


def get(**fields: Any) -> Machine:
    machine: Machine = ask(Answers(ok({**MACHINE, **fields})), lambda m: m.get(MACHINE["id"]))
    return machine


def exit_of(request: dict[str, Any]):
    events = [{"type": "exit", "status": "stopped", "source": "flyd", "request": request, "timestamp": 1}]
    seen = get(events=events).events[0].request
    return seen and seen.exit_event


@pytest.mark.parametrize(
    ("told", "code", "signal"),
    [
        ({}, 0, -1),
        ({"exit_code": 137, "guest_exit_code": 0}, 137, -1),
        ({"exit_code": 0, "guest_exit_code": 7}, 7, -1),
        ({"signal": 9}, 0, 9),
        ({"guest_signal": 9}, 0, 9),
        ({"signal": 0, "guest_signal": 15}, 0, 15),
    ],
)
def test_the_worse_of_machine_and_guest_counts(told: dict[str, int], code: int, signal: int) -> None:
    """A guest that was killed inside of a machine that ended cleanly has not ended cleanly."""
    seen = exit_of({"exit_event": {**CLEAN, **told}})
    assert seen is not None
    assert (seen.exit_code, seen.signal) == (code, signal)


def test_an_exit_inside_of_a_monitor_event_is_read() -> None:
    """Older machines nest it once more; flyctl reads both."""
    told = {"exit_code": 1, "requested_stop": True, "exited_at": "2022-11-22T21:17:51.924Z"}
    seen = exit_of({"MonitorEvent": {"exit_event": told}})
    assert seen is not None
    assert (seen.exit_code, seen.requested_stop) == (1, True)


@pytest.mark.parametrize("request_", [{}, {"exit_event": None}, {"reason": ""}, {"MonitorEvent": None}])
def test_an_event_that_tells_no_exit_is_none(request_: dict[str, Any]) -> None:
    """What is not told is unknown, not clean."""
    assert exit_of(request_) is None


def test_a_machine_on_a_host_that_does_not_answer_shows_what_is_known() -> None:
    """`incomplete_config` stands in for the config; what was seen of it before stays."""
    known = {"metadata": {"bluegreen_release": "1-a"}}
    machine = get(host_status="unreachable", config=None, incomplete_config=known)
    assert machine.host_status == "unreachable"
    assert machine.metadata == {"bluegreen_release": "1-a"}
    assert get().host_status == "ok"


@pytest.mark.parametrize("address", ["fdaa:0:18:a7b:196:e274:9ce1:2", "127.16.0.1", ""])
def test_a_private_address_is_read(address: str) -> None:
    """It is where a tunnel leads; a machine may have none yet."""
    assert get(private_ip=address).private_ip == address


@pytest.mark.parametrize("address", ["evil.test", "::1/x", "1@evil", "[::1]", "::1\n"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """It goes into URLs: anything else is refused where it enters."""
    with pytest.raises(errors.BadAnswer):
        get(private_ip=address)
