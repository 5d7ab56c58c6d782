"""One real `pulumi up`, and then everything that can be looked at, over real processes, HTTP and S3."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from bluegreen.__main__ import main
from examples.webhook.receiver import accept
from tests.engine.stack import Stack
from tests.looking.test_notify import SECRET, Receiver, receiving

CANARY = "canary-of-a-secret"
BUILT = "build: {image: registry.fly.io/rooms}"


def command(stack: Stack, *argv: str, code: int = 0) -> str:
    """``bluegreen …`` in the stack's project; no state of Pulumi's can be reached from it."""
    environ = stack.platform.environ | {"PULUMI_BACKEND_URL": "file:///nowhere"}
    where = ("--stack", "test", "--project", str(stack.file.parents[1]))
    done = CliRunner(env=dict(environ)).invoke(main, [*argv, *where])
    assert done.exit_code == code, done.output
    assert CANARY not in done.output
    return done.output


def told(stack: Stack, *argv: str, code: int = 0) -> Any:
    return json.loads(command(stack, *argv, "--json", code=code))


def test_a_deploy_can_be_looked_at(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who serves, the history, the page, and why the next `up` would do anything; the webhook was told every phase; no
    secret is in any of it.
    """
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the first credentials that it finds
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
    stack.file.write_text(stack.file.read_text().replace("rooms:v1", "rooms:v2"))
    changed = told(stack, "explain", code=1)
    assert changed["phases"][0]["phase"] == "create-new"
    assert changed["reasons"]
    told_lines = command(stack, "explain", code=1).splitlines()
    assert "  change: image: registry.fly.io/rooms:v1 → registry.fly.io/rooms:v2" in told_lines
    assert len(told_lines) == len(set(told_lines))
    assert told(stack, "explain", "--destroy", code=1)["goal"] == "destroy"
    stack.file.write_text(stack.file.read_text().replace("image: registry.fly.io/rooms:v2", BUILT))
    built = told(stack, "explain")
    assert (built["phases"], len(built["assumed"])) == ([], 2)
