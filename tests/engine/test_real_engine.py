"""pulumi preview, up, refresh and destroy by the real engine, on real processes, over real HTTP and S3."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import stack_config
from tests.engine.stack import Stack

pytestmark = pytest.mark.long

V2 = "registry.fly.io/rooms:v2"
CANARY = "canary-5d1e"
WAITING = re.compile(
    r"phase 2 of \d, [\dms]+ left, \d of 2 machines: verify: "
    r"wait until every check passes \(green\), waiting for machine "
)


def version(stack: Stack) -> dict[str, str]:
    told: dict[str, str] = httpx.get(f"{stack.platform.proxy_url}/version", trust_env=False).json()
    return told


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_preview_shows_the_rollout_and_changes_nothing(stack: Stack) -> None:
    """Of a first deploy and of an update: phases, machines by region, gates, the commit point.

    All of it on the app's own row, with each thing that differs: names of env and secrets, values of what is no secret.
    """
    stack.environ["BLUEGREEN_PLAN_DIR"] = str(stack.folder / "plans")
    before = stack.mark()
    assert "no blue: the first deploy → green 1-" in ok(stack.preview())
    assert stack.changes_since(before) == []
    ok(stack.up())
    stack.environ["PULUMI_DEBUG_COMMANDS"] = "true"  # of which --event-log is one
    stack.set_secret("secret_env.API_KEY", CANARY)
    before, events = stack.mark(), stack.folder / "events.json"
    env = stack.config["env"] | {"NEW": "1"}
    guest = {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}
    checks = {"alive": {"type": "tcp", "port": 8080}}
    changes = {"image": V2, "env": env, "guest": guest, "checks": checks}
    shown = ok(stack.run("preview", "--event-log", str(events), **changes))
    on_the_row = told_on_the_row(events)
    for text in (
        "create-new",
        "verify",
        "drain-old",
        "switch-routes",
        "retire-old",
        "commit point",
        "prove saved state: 2 machines (ams 1, iad 1) [gate]",
        f"change: image: {stack_config.V1} → {V2}",
        "change: env: +NEW",
        "change: secret_env: +API_KEY [secret]",
        "change: guest.cpus: 1 → 2",
        "change: checks.alive: none → type tcp, port 8080",
        "live: 0 rooms and 0 sockets (release 1-",
        "machines: created 2 (ams 1, iad 1); drained 2 (ams 1, iad 1); destroyed 2 (ams 1, iad 1)",
        "handoff window: blue's first cordon to green's first answer",
    ):
        assert text in on_the_row
    assert re.search(r"\[diff: [^]]*image", shown), shown
    plan = (stack.folder / "plans" / "rooms.json").read_text()
    assert json.loads(plan)["live"] == {"rooms": 0, "sockets": 0, "machines": 2, "of": 2}
    assert stack.changes_since(before) == []
    for text in (shown, events.read_text(), plan, stack.state()):
        assert CANARY not in text


def told_on_the_row(events: Path) -> str:
    """What an event log has of the app's own resource, not of the stack's."""
    told = [json.loads(line).get("diagnosticEvent", {}) for line in events.read_text().splitlines()]
    ours = "$pulumi-python:dynamic/fly:BlueGreenFlyApp::app"
    return "\n".join(one["message"] for one in told if one.get("urn", "").endswith(ours))


def test_the_whole_life_of_an_app(stack: Stack) -> None:
    """Up deploys, up again changes nothing, the update hands over, refresh agrees, destroy leaves nothing.

    With public addresses and a certificate, which are there before the machines, and go after them. And with a canary
    set as a Pulumi secret: it reaches the machines, and nothing that anybody can read.
    """
    stack.set_secret("secret_env.API_KEY", CANARY)
    seen = [ok(stack.preview()), ok(stack.up(ingress={"certificates": ["play.example.com"]}))]
    assert version(stack)["version"] == "v1"
    first = stack.outputs()
    assert (first["phase"], first["url"]) == ("serving", stack.platform.proxy_url)
    assert first["serving"]["regions"] == {"ams": 1, "iad": 1}
    assert sorted(first["ingress"]["addresses"].values()) == ["shared_v4", "v6"]
    assert first["ingress"]["certificates"] == {"play.example.com": "pending_validation"}
    order = [record["action"] for record in stack.history("request")]
    assert order.index("request_certificate") < order.index("create_machine")

    _up_again(stack)
    seen.append(ok(stack.up(image=V2)))
    assert version(stack)["version"] == "v2"
    assert [r["status"] for r in stack.history("request") if r["action"] == "set_secrets"] == [200, 200]
    for text in (*seen, stack.state(), stack.platform.history.read_text()):
        assert CANARY not in text
    second = stack.outputs()
    assert second["release"].startswith("2-")
    assert second["handoff_window_seconds"] > 0
    assert set(second["serving"]["machine_ids"]).isdisjoint(first["serving"]["machine_ids"])
    assert set(stack.machines()) == {"rooms-g2-ams-1", "rooms-g2-iad-1"}

    _add_a_machine(stack, second["release"])
    before = stack.mark()
    ok(stack.run("refresh", "--yes", "--skip-preview"))
    assert stack.changes_since(before) == []
    assert stack.outputs()["serving"]["regions"] == {"ams": 2, "iad": 1}

    ok(stack.run("destroy", "--yes", "--skip-preview"))
    assert stack.machines() == {}
    assert [r["status"] for r in stack.history("request") if r["action"] == "delete_app"] == [202]


def _up_again(stack: Stack) -> None:
    """Nothing changes, and the provider adds at most two reads."""
    before = stack.mark()
    assert "4 unchanged" in ok(stack.up())
    assert stack.changes_since(before) == []
    assert len([r for r in stack.history("request", before) if r["path"].startswith("/v1/apps/rooms")]) <= 2


def _add_a_machine(stack: Stack, release: str) -> None:
    """Another count is no new release: one machine is verified and added, and no other is changed."""
    before = stack.mark()
    assert "2 machines (ams 1, iad 1) are not touched" in ok(stack.up(regions={"ams": 2, "iad": 1}))
    assert stack.outputs()["release"] == release
    machines = stack.machines()
    assert set(machines) == {"rooms-g2-ams-1", "rooms-g2-ams-2", "rooms-g2-iad-1"}
    changed = {r["machine_id"] for r in stack.changes_since(before) if not r["path"].endswith("/lease")}
    assert changed - {None} == {machines["rooms-g2-ams-2"]["machine_id"]}


@pytest.mark.saver
def test_a_failed_update_fails_the_up_and_says_what_serves(stack: Stack) -> None:
    """A green that never gets healthy: exit code, one message with cluster and next command, blue untouched.

    Watched in a terminal: the app's own row says meanwhile which phase of how many it is, what is waited for, and how
    much time is left.
    """
    assert stack.up().returncode == 0
    machines, before = stack.machines(), stack.mark()
    failing = {"alive": {"type": "http", "port": 8080, "path": "/no-such-path", "interval": "1s"}}
    changes: dict[str, Any] = {
        "checks": failing,
        "deadlines": {"verify": "4s"},
        "tests": [],
        "rehearsal": None,
    }
    failed = stack.watch("up", "--yes", "--skip-preview", image=V2, **changes)
    assert failed.returncode != 0
    waiting = [line for line in failed.stdout.splitlines() if WAITING.search(line)]
    assert waiting
    assert all("pulumi-python:dynamic/fly:BlueGreenFlyApp  app " in line for line in waiting)
    assert "aborted in verify" in failed.stdout
    assert "serving: release 1-" in failed.stdout
    assert "alive" in failed.stdout
    assert "Next: pulumi up" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert "Exception calling application" not in failed.stdout
    assert stack.machines() == machines
    assert not [r for r in stack.changes_since(before) if r["action"] in ("cordon", "stop")]
    assert stack.outputs()["release"].startswith("1-")
    mended = stack.up(checks={})
    assert mended.returncode == 0, mended.stdout
    assert version(stack)["version"] == "v2"


@pytest.mark.saver
def test_a_blue_that_dies_unsaved_keeps_green_unrouted(stack: Stack) -> None:
    """Blue is ended by a signal that it does not handle, so nothing was saved: blue serves again, and the up fails."""
    ok(stack.up(drain={"type": "stop"}, stop_config={"signal": "SIGUSR2", "timeout": "5s"}))
    failed = stack.up(image=V2)
    assert failed.returncode != 0
    assert "aborted in drain-old" in failed.stdout
    assert "was ended by signal 12; its state may be unsaved" in failed.stdout
    assert version(stack)["version"] == "v1"
    assert set(stack.machines()) == {"rooms-g1-ams-1", "rooms-g1-iad-1"}


@pytest.mark.saver
def test_a_renamed_app_is_saved_and_gone_before_the_new_one_is_made(stack: Stack) -> None:
    """Two apps on one state would be two writers: the old one is drained first, and the preview says so."""
    ok(stack.up())
    assert "REPLACEMENT: app rooms is drained, saved and destroyed before halls is created" in ok(
        stack.preview(app="halls")
    )
    ok(stack.up())
    actions = [
        r["action"] for r in stack.history("request") if r["action"] in ("stop", "delete_app", "create_app")
    ]
    assert actions == ["create_app", "stop", "stop", "delete_app", "create_app"]


def test_wrong_configuration_is_refused_before_any_call(stack: Stack) -> None:
    """The key, what is wrong, and an example; no request reaches Fly."""
    before = stack.mark()
    refused = stack.up(regions={"amsterdam": 1}, stop_config={"timeout": "10m"})
    assert refused.returncode != 0
    assert 'regions.amsterdam: "amsterdam" is not a region code' in refused.stdout
    assert "an example that works" in refused.stdout
    assert stack.history("request", before) == []


def test_a_wrong_token_and_an_unreachable_api_are_one_clear_line(stack: Stack) -> None:
    """Status and request id, or the address; nothing was changed, and no token is shown."""
    stack.environ["FLY_API_TOKEN"] = "wrong-canary"
    refused = stack.up()
    assert refused.returncode != 0
    assert "answered 401" in refused.stdout
    assert "request id" in refused.stdout
    assert "canary" not in refused.stdout
    unreachable = stack.up(api_url="http://127.0.0.1:9")
    assert unreachable.returncode != 0
    assert "cannot reach 127.0.0.1:9" in unreachable.stdout
    assert "nothing was changed" in unreachable.stdout


def test_deadlines_alone_touch_no_machine_and_an_app_that_was_there_stays(stack: Stack) -> None:
    """A change of deadlines, tests and gates is an update without a call that changes anything. Another organization is
    refused: a replacement would find the same app, call it unchanged, and then destroy it. A foreign app survives the
    destroy.
    """
    headers = {"authorization": f"Bearer {stack.environ['FLY_API_TOKEN']}"}
    made = httpx.post(
        f"{stack.platform.api_url}/v1/apps", json={"name": "rooms", "org_slug": "personal"}, headers=headers
    )
    assert made.status_code == 201
    assert stack.up().returncode == 0
    before = stack.mark()
    gates = {"tests": [], "bake": "1s", "min_healthy": "1s", "approval": "manual"}
    told = ok(stack.up(deadlines={"verify": "9m"}, **gates))
    assert "no machine is touched" in told
    for key in ("tests: changed", "bake: ", "min_healthy: ", "approval: ", "deadlines.verify: 5m → 9m"):
        assert f"change: {key}" in told
    refused = stack.up(org="team")
    assert refused.returncode != 0
    assert "org: cannot change" in refused.stdout
    assert stack.changes_since(before) == []
    assert version(stack)["version"] == "v1"
    destroyed = stack.run("destroy", "--yes", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout
    # A kind of call of its own: inside of the rate limit, whatever the destroy has asked.
    secrets = httpx.get(f"{stack.platform.api_url}/v1/apps/rooms/secrets", headers=headers)
    assert secrets.status_code == 200
