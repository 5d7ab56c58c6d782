"""What `status` says of small worlds: who serves, what is unfinished, and every machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.status import status
from bluegreen.words import of_status
from providers.bluegreen.model import CheckSeen, MachineSeen, Observation
from providers.fly.types import LeaseSeen
from tests.bluegreen.worlds import cluster, serving, spec, world

OLD, NEW = spec(), spec(image="registry.fly.io/rooms:v2")
ILL = (CheckSeen("servicecheck-00-http-8080", passing=False, output="503"),)


def told(*clusters: tuple[MachineSeen, ...], leases: dict[str, LeaseSeen] | None = None) -> dict[str, Any]:
    return status("rooms", world(*clusters), leases or {})


def one(machines: tuple[MachineSeen, ...], **changes: Any) -> tuple[MachineSeen, ...]:
    """The same, but for the first machine."""
    return replace(machines[0], **changes), *machines[1:]


def test_a_cluster_that_serves_is_finished() -> None:
    found = told(serving(OLD, 1))
    assert found["serving"] == {"release": f"1-{OLD.digest}", "machines": 2}
    assert found["unfinished"] == []
    (shown,) = found["clusters"]
    assert list(shown["regions"]) == ["ams", "iad"]
    assert shown["regions"]["ams"][0]["routed"] is True


@pytest.mark.parametrize(
    ("clusters", "why"),
    [
        ((serving(OLD, 1), cluster(NEW, 2)), "was begun and never committed"),
        ((cluster(OLD, 1, state="stopped", serving=1), serving(NEW, 2)), "is not removed yet"),
        ((serving(OLD, 1), cluster(NEW, 2, approval_until=1e12)), "waits for approval"),
        ((one(serving(OLD, 1), cordoned=True),), "is started, cordoned"),
        ((one(serving(OLD, 1), state="stopped"),), "is stopped"),
        ((one(serving(OLD, 1), serving=0),), "was not proven since the last commit"),
        ((one(serving(OLD, 1), checks=ILL),), "servicecheck-00-http-8080 does not pass"),
        ((one(serving(OLD, 1), readable=False),), "its host does not answer"),
        ((cluster(OLD, 1),), "no release owns the state yet"),
    ],
)
def test_what_is_unfinished_is_said(clusters, why) -> None:
    """Each thing that a finished rollout does not leave, one line each, and it is in the text as well."""
    found = told(*clusters)
    assert any(why in line for line in found["unfinished"]), found["unfinished"]
    assert why in "\n".join(of_status(found))


def test_who_deploys_is_named() -> None:
    """From the leases on the machines."""
    machines = serving(OLD, 1)
    lease = LeaseSeen(
        expires_at=1.0, owner="a token", description="ada@ci since 2026-11-23T21:00:00Z (run 1)"
    )
    found = told(machines, leases={machines[0].id: lease})
    assert found["deploying"] == ["ada@ci since 2026-11-23T21:00:00Z (run 1)"]
    assert "a deploy is running: ada@ci" in "\n".join(of_status(found))


def test_an_app_that_is_not_there_serves_nothing() -> None:
    found = status("rooms", Observation(app_exists=False, machines=(), record=None), {})
    assert (found["exists"], found["serving"], found["unfinished"]) == (False, None, [])
    assert "there is no such app" in "\n".join(of_status(found))
