"""Real ``pulumi up`` killed at chosen calls of its deployment; then ``pulumi cancel``, and the next ``up``.

A killed ``pulumi`` leaves its provider behind. The next ``up`` runs beside that orphan: one wins, the other stops.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.site import V1, V2
from tests.crash.story import Point, open_story
from tests.figures import Figures

CORDON = Point("cordon blue", "POST", "*/cordon", "before")
STOP = Point("stop blue", "POST", "*/stop")
COMMIT = Point("commit", "PUT", "*/owners/*")
ORPHANS = {
    "creating": (
        Point("first create, not done", "POST", "/v1/apps/rooms/machines", "before"),
        Point("wait until started", "GET", "*/wait"),
    ),
    "draining": (Point("cordon blue", "POST", "*/cordon"), Point("proof", "GET", "*/manifests/*")),
    "switching": (
        Point("commit, not done", "PUT", "*/owners/*", "before"),
        Point("route green", "POST", "*/uncordon"),
    ),
    "retiring": (
        Point("mark serving", "POST", "*/metadata/bluegreen_serving"),
        Point("destroy blue", "DELETE", "*/machines/" + "?" * 14),
    ),
}
OF_A_HOST = (STOP, COMMIT)


@pytest.mark.long
@pytest.mark.anyio
@pytest.mark.parametrize("part", ORPHANS)
async def test_an_orphan_beside_the_next_up(part: str, s3_url: str, tmp_path: Path, figures: Figures) -> None:
    """Whichever wins, one cluster serves, and Pulumi's state, routes and exit code say which."""
    async with open_story(s3_url, part, tmp_path) as story:
        for number, point in enumerate(ORPHANS[part]):
            await story.orphan(point, (V2, V1)[number % 2])
    figures.add(kills_of_pulumi=len(ORPHANS[part]))


@pytest.mark.long
@pytest.mark.anyio
async def test_a_host_that_dies_with_all_of_it(s3_url: str, tmp_path: Path, figures: Figures) -> None:
    """The next ``up``, on another host, waits until the dead run's leases have run out, and finishes. At the end a
    ``destroy`` beside an ``up`` is told who deploys, and changes nothing; the one after it destroys.
    """
    async with open_story(s3_url, "host", tmp_path) as story:
        for number, point in enumerate(OF_A_HOST):
            await story.host_dies(point, (V2, V1)[number % 2])
        await story.destroy_beside(CORDON, V2)
    figures.add(kills_of_pulumi=len(OF_A_HOST))
