"""One real `pulumi up`, and then everything that can be looked at, over real processes, HTTP and S3."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from demo.local import CHECKOUT
from tests.engine.stack import Stack
from tests.looking.test_notify import SECRET, Receiver, accept, receiving

CANARY = "canary-of-a-secret"
V2 = "registry.fly.io/rooms:v2"


def command(stack: Stack, *argv: str, code: int = 0) -> str:
    """``python -m bluegreen …`` in the stack's project; no engine and no state of Pulumi's can be reached from it."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bluegreen",
            *argv,
            "--stack",
            "test",
            "--project",
            str(stack.file.parents[1]),
        ],
        cwd=CHECKOUT,
        env={**stack.platform.environ, "PULUMI_BACKEND_URL": "file:///nowhere", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done.stdout


def told(stack: Stack, *argv: str, code: int = 0) -> Any:
    return json.loads(command(stack, *argv, "--json", code=code))


def test_a_deploy_can_be_looked_at(stack: Stack) -> None:
    """Who serves, the history, the page, and why the next `up` would do anything; the webhook was told every phase; no
    secret is in any of it.
    """
    with receiving() as receiver:
        stack.set_secret("secret_env.API_KEY", CANARY)
        stack.set_secret("notify.url", receiver.url)
        stack.set_secret("notify.secret", SECRET)
        done = stack.up()
    assert done.returncode == 0, done.stdout
    assert "timeline: s3://rooms-state/deploys/" in done.stdout
    assert receiver.url not in done.stdout + stack.state()
    release = stack.outputs()["release"]
    assert_the_webhook_was_told(receiver)
    assert_its_timeline_is_kept(stack, release)
    status = told(stack, "status")
    assert (status["serving"], status["unfinished"]) == ({"release": release, "machines": 2}, [])
    assert_it_explains_what_would_be_done(stack)


def assert_the_webhook_was_told(receiver: Receiver) -> None:
    messages = [accept(headers, body, SECRET) for headers, body in receiver.got]
    assert [message.get("phase", message["event"]) for message in messages][:2] == ["create-new", "verify"]
    assert messages[-1]["ending"] == "deployed"
    assert CANARY not in str(receiver.got)


def assert_its_timeline_is_kept(stack: Stack, release: str) -> None:
    assert [(row["release"], row["ending"]) for row in told(stack, "history")] == [(release, "deployed")]
    timeline = told(stack, "timeline", release)
    assert timeline["phases"][0]["name"] == "create-new"
    assert CANARY not in json.dumps(timeline)
    page = stack.folder / "deploy.html"
    assert command(stack, "timeline", "--out", str(page)).strip() == str(page)
    assert "rooms-g1-ams-1" in page.read_text()


def assert_it_explains_what_would_be_done(stack: Stack) -> None:
    """Nothing, with secrets that cannot be read; and a rollout, once the stack's file names another image."""
    unchanged = told(stack, "explain")
    assert (unchanged["phases"], unchanged["reasons"]) == ([], [])
    assert "is assumed to be as it was" in unchanged["assumed"][0]
    stack.preview(image=V2)
    changed = told(stack, "explain", code=1)
    assert changed["phases"][0]["phase"] == "create-new"
    assert changed["reasons"]
    assert "drain-old" in command(stack, "explain", code=1)
