"""One real `pulumi up`, and then everything that can be looked at, over real processes, HTTP and S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from bluegreen.__main__ import main
from examples.webhook.receiver import accept
from providers.notify import ATTEMPTS
from tests.engine.stack import Stack
from tests.engine.test_real_engine import V2, ok
from tests.looking.browser import Page
from tests.looking.test_notify import SECRET, Receiver, receiving

CANARY = "canary-of-a-secret"
BUILT = "build: {image: registry.fly.io/rooms}"
PHASES = ["create-new", "verify", "drain-old", "switch-routes", "retire-old"]


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


@pytest.mark.long
def test_a_deploy_can_be_looked_at(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    subtests: pytest.Subtests,
) -> None:
    """Who serves, the history, the page, and why the next `up` would do anything; the webhook was told every phase; no
    secret is in any of it.
    """
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the first credentials that it finds
    stack.set_secret("secret_env.API_KEY", CANARY)
    stack.set_secret("notify.secret", SECRET)
    first = deploy_while_the_webhook_is_ill(stack)
    with receiving() as receiver:
        stack.set_secret("notify.url", receiver.url)
        done = ok(stack.up(image=V2))
    assert f"timeline: s3://rooms-state/{stack.prefix}deploys/" in done
    assert "notify: not every" not in done
    assert receiver.url not in done + stack.state()
    release = stack.outputs()["release"]
    assert_the_webhook_was_told(receiver)
    assert_its_timeline_is_kept(stack, release, first)
    status = told(stack, "status")
    assert (status["serving"], status["unfinished"]) == ({"release": release, "machines": 2}, [])
    assert_it_explains_what_would_be_done(stack)
    for scheme in ("light", "dark"):
        with subtests.test(scheme):
            assert_a_browser_shows_it(request.getfixturevalue("page"), stack.folder / "deploy.html", scheme)


def deploy_while_the_webhook_is_ill(stack: Stack) -> str:
    """It answers 500 to the first message, however often it is asked, and then nothing at all: one line says so, and
    the deploy is one. Its release.
    """
    with receiving(500, patience=ATTEMPTS) as receiver:
        stack.set_secret("notify.url", receiver.url)
        done = ok(stack.up())
        assert len(receiver.got) > ATTEMPTS
    lines = [line.strip() for line in done.partition("Diagnostics:")[2].splitlines() if "notify: not" in line]
    assert lines == ["notify: not every message was accepted by the webhook: it answered 500"]
    outputs = stack.outputs()
    assert outputs["phase"] == "serving"
    return str(outputs["release"])


def assert_the_webhook_was_told(receiver: Receiver) -> None:
    """Of an update: all five phases in their order, and its end, each signed."""
    messages = [accept(headers, body, SECRET) for headers, body in receiver.got]
    assert [message.get("phase", message["event"]) for message in messages] == [*PHASES, "ended"]
    assert [(message["number"], message["of"]) for message in messages[:-1]] == [(n, 5) for n in range(1, 6)]
    assert messages[-1]["ending"] == "deployed"
    assert CANARY not in str(receiver.got)


def assert_a_browser_shows_it(page: Page, file: Path, scheme: str) -> None:
    """The page of a real deploy as people open it: every phase is drawn, and the browser complains of nothing."""
    page.open(file, scheme=scheme)
    assert page.told("Log.entryAdded") == page.told("Runtime.exceptionThrown") == []
    assert page.told("Runtime.consoleAPICalled") == []
    drawn = page.evaluate("[...document.querySelectorAll('main svg text')].map(e => e.textContent)")
    assert set(PHASES) <= set(drawn)
    assert any("rooms-g2-ams-1" in text for text in drawn)


def assert_its_timeline_is_kept(stack: Stack, release: str, first: str) -> None:
    kept = [(row["release"], row["ending"]) for row in told(stack, "history")]
    assert sorted(kept) == [(first, "deployed"), (release, "deployed")]
    timeline = told(stack, "timeline", release)
    assert timeline["phases"][0]["name"] == "create-new"
    assert CANARY not in json.dumps(timeline)
    page = stack.folder / "deploy.html"
    assert command(stack, "timeline", "--out", str(page)).strip() == str(page)
    assert "rooms-g2-ams-1" in page.read_text()


def assert_it_explains_what_would_be_done(stack: Stack) -> None:
    """Nothing, with secrets that cannot be read; and a rollout, once the stack's file names another image."""
    unchanged = told(stack, "explain")
    assert (unchanged["phases"], unchanged["reasons"]) == ([], [])
    assert "is assumed to be as it was" in unchanged["assumed"][0]
    stack.file.write_text(stack.file.read_text().replace("rooms:v2", "rooms:v1"))
    changed = told(stack, "explain", code=1)
    assert changed["phases"][0]["phase"] == "create-new"
    assert changed["reasons"]
    told_lines = command(stack, "explain", code=1).splitlines()
    assert "  change: image: registry.fly.io/rooms:v2 → registry.fly.io/rooms:v1" in told_lines
    assert len(told_lines) == len(set(told_lines))
    assert told(stack, "explain", "--destroy", code=1)["goal"] == "destroy"
    stack.file.write_text(stack.file.read_text().replace("image: registry.fly.io/rooms:v1", BUILT))
    built = told(stack, "explain")
    assert (built["phases"], len(built["assumed"])) == ([], 2)
