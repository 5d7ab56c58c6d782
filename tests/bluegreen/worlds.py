"""Small worlds for tests of the pure core: machines of two clusters in any state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from providers.bluegreen.model import CheckSeen, ExitSeen, MachineSeen, Observation, Ownership, Release
from providers.bluegreen.scene import machine_name
from providers.bluegreen.spec import Spec

CHECKS = (CheckSeen("servicecheck-00-http-8080", passing=True),)
CLEAN_EXIT = ExitSeen(exit_code=0, signal=0, oom_killed=False, requested=True)


def spec(**changes: Any) -> Spec:
    """A valid spec of two regions with one machine each."""
    given: dict[str, Any] = {
        "app": "rooms",
        "image": "registry.fly.io/rooms:v1",
        "regions": {"ams": 1, "iad": 1},
        "services": [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}],
        "state_store": {"bucket": "rooms-state"},
        "routing_probe": {"path": "/version", "machine_key": "machine_id"},
    }
    return Spec.model_validate(given | changes)


def cluster(of: Spec, generation: int, **state: Any) -> tuple[MachineSeen, ...]:
    """The machines of one release of a spec, all in the same state; started, unrouted and healthy unless told."""
    release = Release(generation, of.digest)
    store = of.state_store.location if of.state_store else ""
    machine = MachineSeen(
        id="",
        name="",
        release=release,
        region="",
        state="started",
        cordoned=True,
        checks=CHECKS,
        state_store=store,
    )
    machine = replace(machine, cutover=of.cutover, **state)
    return tuple(
        replace(
            machine,
            id=f"{generation}{region}{index}",
            name=machine_name(of.app, release, region, index),
            region=region,
        )
        for region, count in of.regions.items()
        for index in range(1, count + 1)
    )


def serving(of: Spec, generation: int, **state: Any) -> tuple[MachineSeen, ...]:
    """A cluster that users reach, recorded as such."""
    return cluster(of, generation, **{"cordoned": False, "serving": generation} | state)


def world(*clusters: tuple[MachineSeen, ...]) -> Observation:
    """With the store asked who owns the state: nothing else is known of it than what machines tell."""
    machines = tuple(machine for part in clusters for machine in part)
    return Observation(app_exists=True, machines=machines, record=None, owner_checked=True)


def owned_by(of: Spec, generation: int) -> Ownership:
    """The commit that made this release the owner."""
    return Ownership(generation, Release(generation, of.digest))
