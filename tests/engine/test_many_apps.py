"""Several apps in one program: planned with an image that nobody knows yet, and deployed side by side."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import pytest

from demo.local import CHECKOUT, local_platform
from demo.stack_config import V1, V2
from tests.engine.fronts import front, meeting
from tests.engine.stack import SAVER, Stack
from tests.engine.test_real_engine import ok

pytestmark = pytest.mark.long

COUNT = 6
TWO = {"ams": 2}
YES = ("--yes", "--skip-preview")
SERVICES = [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health", "interval": "1s"}]}]


def test_six_apps_deploy_side_by_side_with_an_image_built_beside_them(
    tmp_path: Path, local_s3_url: str
) -> None:
    """Their plans name what is known only later; then each waits in its verify phase until all of them are there.

    A later plan with an unknown image names blue; a target alone is scaled down; one deleted by hand is forgotten.
    """
    with (
        local_platform(tmp_path, images=SAVER, s3_url=local_s3_url) as platform,
        front(platform.proxy_url) as url,
        meeting(COUNT) as argv,
    ):
        # A copy: its deploys leave timelines beside the program.
        program = copytree(CHECKOUT / "tests" / "engine" / "many", tmp_path / "program")
        stack = Stack(platform, tmp_path, project=program)
        stack.environ |= {"PYTHONPATH": str(CHECKOUT), "BLUEGREEN_PLAN_DIR": str(tmp_path / "plans")}
        stack.init()
        tests = [{"type": "command", "name": "all-are-here", "argv": argv, "deadline": "2m"}]
        stack.config |= {"count": COUNT, "front": url, "services": SERVICES, "tests": tests}
        stack.config["regions_of"] = {"rooms-0": TWO, "rooms-1": TWO}
        _plans_of_what_is_known_later(stack, blue=False)
        ok(stack.up())
        outputs = stack.outputs()
        assert [outputs[f"rooms-{n}"]["regions"] for n in range(COUNT)] == [TWO] * 2 + [{"ams": 1}] * 4
        _plans_of_what_is_known_later(stack, blue=True, image=V2)
        _a_target_alone_is_scaled_down(stack)
        _an_app_deleted_by_hand_is_forgotten(stack)


def _plans_of_what_is_known_later(stack: Stack, *, blue: bool, **changes: Any) -> None:
    """A whole rollout for each app, from the release that serves, if any, to one that nobody can name yet."""
    before = stack.mark()
    shown = ok(stack.preview(**changes))
    assert shown.count("change: image: known only later") == COUNT
    plans = [json.loads((stack.folder / "plans" / f"rooms-{n}.json").read_text()) for n in range(COUNT)]
    assert {(plan["app"], tuple(plan["known_later"]), plan["green"]) for plan in plans} == {
        (f"rooms-{n}", ("image",), None) for n in range(COUNT)
    }
    assert all("create machines, unrouted" in json.dumps(plan["phases"]) for plan in plans)
    assert [str(plan["blue"])[:2] for plan in plans] == (["1-"] if blue else ["No"]) * COUNT
    assert f"→ green {2 if blue else 1}, known later" in shown
    assert stack.changes_since(before) == []


def _a_target_alone_is_scaled_down(stack: Stack) -> None:
    """Two apps have a machine too many; the one that is named loses it, and nobody asks anything of the other's."""
    machines, before = stack.machines(), stack.mark()
    urn = next(urn for urn in _apps(stack) if urn.endswith("::app-0"))
    told = ok(stack.run("up", *YES, "--target", urn, image=V1, regions_of={}))
    assert "scale of rooms-0 (overlap)" in told
    assert "1 machine (ams 1) is not touched" in told
    assert machines.keys() - stack.machines().keys() == {"rooms-0-g1-ams-2"}
    gone = machines["rooms-0-g1-ams-2"]["machine_id"]
    changed = [r for r in stack.changes_since(before) if not r["path"].endswith("/lease")]
    assert {r["machine_id"] for r in changed} - {None} == {gone}
    assert {r["path"].split("/")[3] for r in stack.changes_since(before)} == {"rooms-0"}
    assert [r["action"] for r in changed] == ["cordon", "stop", "delete_machine"]


def _an_app_deleted_by_hand_is_forgotten(stack: Stack) -> None:
    """A refresh drops it from the state, and it alone."""
    headers = {"authorization": f"Bearer {stack.environ['FLY_API_TOKEN']}"}
    url = f"{stack.platform.api_url}/v1/apps/rooms-5?force=true"
    gone = httpx.delete(url, headers=headers, trust_env=False)
    assert gone.status_code == 202, gone.text
    ok(stack.run("refresh", *YES))
    assert [urn[-5:] for urn in _apps(stack)] == [f"app-{n}" for n in range(COUNT - 1)]


def _apps(stack: Stack) -> list[str]:
    """The URNs of the apps in Pulumi's state."""
    resources = json.loads(stack.state())["deployment"]["resources"]
    return sorted(
        one["urn"] for one in resources if one["type"] == "pulumi-python:dynamic/fly:BlueGreenFlyApp"
    )
