"""Whose a machine is: its metadata and its name must both say that it is ours."""

from __future__ import annotations

import pytest

from providers.bluegreen import journal
from providers.bluegreen.observe import see, see_task
from providers.fly import Machine

OURS = {journal.COMPONENT: "rooms", journal.RELEASE: "2-3fa9c1d20e-ab12"}
STRANGERS: dict[str, tuple[str, dict[str, str]]] = {
    "no metadata": ("rooms-g1-ams-1", {}),
    "another app's": ("rooms-g2-ams-1", {**OURS, journal.COMPONENT: "lobby"}),
    "no release": ("rooms-g2-ams-1", {journal.COMPONENT: "rooms"}),
    "a release that is none": ("rooms-g2-ams-1", {**OURS, journal.RELEASE: "../2-3fa9c1d20e"}),
    "a release of another line": ("rooms-g2-ams-1", {**OURS, journal.RELEASE: "2-3fa9c1d20e\n"}),
    "a clone, under its own name": ("still-river-1234", OURS),
    "another generation's name": ("rooms-g3-ams-1", OURS),
    "a name that only begins like the app's": ("rooms-green-ams-1", OURS),
}


def machine(name: str, metadata: dict[str, str]) -> Machine:
    config = {"image": "rooms:v1", "metadata": metadata}
    return Machine(id="148e21ea7d5e38", name=name, state="started", config=config)


@pytest.mark.parametrize("whose", STRANGERS)
def test_only_what_says_that_it_is_ours_is_ours(whose: str) -> None:
    """flyctl 3360, 4886: one that does not say so in its name and its metadata is nobody's to touch."""
    stranger = machine(*STRANGERS[whose])
    assert see(stranger, "rooms") is None
    assert see_task(stranger, "rooms") is None


def test_ours_is_known_by_name_and_metadata() -> None:
    """The positive control: both are right."""
    seen = see(machine("rooms-g2-ams-1", OURS), "rooms")
    assert seen
    assert str(seen.release) == OURS[journal.RELEASE]
