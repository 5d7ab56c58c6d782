"""Signals to a real ``pulumi up``: one Ctrl-C, and what CI sends to a job that is cancelled."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.crash.serving import until
from tests.crash.site import V1, V2
from tests.crash.story import UP, Point, Story, open_story

CORDON = Point("cordon blue", "POST", "*/cordon")
ROUTE = Point("route green", "POST", "*/uncordon", "before")


async def interrupted(story: Story, point: Point, *signals: signal.Signals) -> tuple[int, str]:
    """An update to v2 that gets these signals at this call, each once the one before has been heard: how it ended."""
    lane = story.site.lane()
    story.site.begin()
    async with story.stack.command(lane, *UP, image=V2) as update:

        async def send() -> bool:
            for number in signals:
                update.signal(number)
                if number is signal.SIGINT:
                    await until(lambda: "cancel" in update.printed.read_text().lower(), "pulumi has heard it")
            return True

        lane.gate.arm(point.chosen, send, point.when)
        code, text = await update.end()
        await until(lambda: story.released(lane), "the deployment has come to its end")
    return code, text


def releases(story: Story) -> set[str]:
    """What users reach."""
    told = story.site.promises.told
    return {told.release(machine_id) for machine_id in told.routed}


@pytest.mark.anyio
async def test_one_ctrl_c_undoes_what_was_not_committed_and_finishes_what_was(
    s3_url: str, tmp_path: Path
) -> None:
    """Before the commit blue serves again and green is gone; behind it green serves. The exit code is a failure's."""
    async with open_story(s3_url, "ctrl-c", tmp_path) as story:
        before = releases(story)
        code, text = await interrupted(story, CORDON, signal.SIGINT)
        assert code, text
        assert releases(story) == before
        assert story.site.only_routed()
        code, text = await interrupted(story, ROUTE, signal.SIGINT)
        assert releases(story).isdisjoint(before)
        await story.succeed(V2)
        await story.settled(V2)


@pytest.mark.anyio
async def test_a_cancelled_ci_job_leaves_blue_serving(s3_url: str, tmp_path: Path) -> None:
    """INT, TERM and KILL in a row: the provider comes to its end as an orphan, undone; the next ``up`` succeeds."""
    async with open_story(s3_url, "ci", tmp_path) as story:
        before = releases(story)
        code, text = await interrupted(story, CORDON, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        assert code == -signal.SIGKILL, text
        assert releases(story) == before
        assert story.site.only_routed()
        await story.stack.cancel(story.site.lane())
        await story.succeed(V1)
        await story.settled(V1)


@pytest.mark.anyio
async def test_the_second_ctrl_c_is_pulumis_own(s3_url: str, tmp_path: Path) -> None:
    """It does not wait for the deployment: it ends by itself, as a failure; the next ``up`` finds all that there is."""
    async with open_story(s3_url, "twice", tmp_path) as story:
        code, text = await interrupted(story, CORDON, signal.SIGINT, signal.SIGINT)
        assert code > 0, text
        assert "Traceback" not in text
        await story.succeed(V2)
        assert story.site.only_routed()
