"""A resource that was renamed without an alias does not take its app along."""

from __future__ import annotations

from typing import Any

import pytest

from providers import claims, running
from providers.resource import BlueGreenFlyAppProvider

PROPS = {
    "app": "rooms",
    "image": "registry.fly.io/rooms:v1",
    "regions": {"ams": 1},
    "checks": {"alive": {"type": "tcp", "port": 8080}},
}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The goals that would have been run."""
    found: list[str] = []

    def run(spec: Any, request: Any, *more: Any) -> dict[str, Any]:
        found.append(f"{request.goal} {spec.app}")
        return {}

    monkeypatch.setattr(running, "run", run)
    monkeypatch.setattr(claims, "_claimed", {})
    return found


def test_the_old_name_lets_go_of_an_app_that_the_new_one_has(runs: list[str]) -> None:
    """Created under the new name, then deleted under the old one, in one run: nothing is destroyed."""
    BlueGreenFlyAppProvider().create(dict(PROPS))
    BlueGreenFlyAppProvider().delete("rooms", dict(PROPS))
    assert runs == ["deploy rooms"]


def test_any_other_delete_destroys(runs: list[str]) -> None:
    """The negative control: another app's resource was created, and none for this one."""
    BlueGreenFlyAppProvider().create(PROPS | {"app": "lobby"})
    BlueGreenFlyAppProvider().delete("rooms", dict(PROPS))
    assert runs == ["deploy lobby", "destroy rooms"]
