"""Several apps in one program: planned with an image that nobody knows yet, and deployed side by side."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

from demo.local import CHECKOUT, local_platform
from tests.engine.fronts import front, meeting
from tests.engine.stack import Stack
from tests.engine.test_real_engine import ok

COUNT = 6
SERVICES = [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health", "interval": "1s"}]}]


def test_six_apps_deploy_side_by_side_with_an_image_built_beside_them(tmp_path: Path) -> None:
    """Their plans name what is known only later; then each waits in its verify phase until all of them are there."""
    with local_platform(tmp_path) as platform, front(platform.proxy_url) as url, meeting(COUNT) as argv:
        # A copy: its deploys leave timelines beside the program.
        program = copytree(CHECKOUT / "tests" / "engine" / "many", tmp_path / "program")
        stack = Stack(platform, tmp_path, project=program)
        stack.environ |= {"PYTHONPATH": str(CHECKOUT), "BLUEGREEN_PLAN_DIR": str(tmp_path / "plans")}
        stack.init()
        tests = [{"type": "command", "name": "all-are-here", "argv": argv, "deadline": "2m"}]
        stack.config |= {"count": COUNT, "front": url, "services": SERVICES, "tests": tests}
        shown = ok(stack.preview())
        assert shown.count("change: image: known only later") == COUNT
        plans = [json.loads((tmp_path / "plans" / f"rooms-{n}.json").read_text()) for n in range(COUNT)]
        assert {(plan["app"], tuple(plan["known_later"]), plan["green"]) for plan in plans} == {
            (f"rooms-{n}", ("image",), None) for n in range(COUNT)
        }
        assert all("create machines, unrouted" in json.dumps(plan["phases"]) for plan in plans)
        ok(stack.up())
        outputs = stack.outputs()
        assert [outputs[f"rooms-{n}"]["regions"] for n in range(COUNT)] == [{"ams": 1}] * COUNT
