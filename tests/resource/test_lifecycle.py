"""One stack through its whole life, by the real engine: adoption, drift, repair, and all that Pulumi lets users say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.local import CHECKOUT, local_platform
from tests.bluegreen.fly_made import SERVICE, fly_metadata
from tests.engine.stack import SAVER
from tests.engine.test_real_engine import ok, version
from tests.resource.lifecycle.stack import HOST, INGRESS, OURS, OwnProject
from tests.resource.lifecycle.token_gate import TokenGate, token_gate

UNFINISHED = CHECKOUT / "tests" / "state_files" / "unfinished_behind_the_commit_point.json"
V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
NEWER_OUTPUTS = ("machines", "drift")
YES = ("--yes", "--skip-preview")


@pytest.fixture
def gated(tmp_path: Path, local_s3_url: str) -> Iterator[tuple[OwnProject, TokenGate]]:
    assert shutil.which("pulumi"), "no pulumi on PATH; `make test` puts the engine there"
    with (
        local_platform(tmp_path, images=SAVER, s3_url=local_s3_url) as platform,
        token_gate(platform.api_url, "first-token") as gate,
    ):
        stack = OwnProject(platform, tmp_path)
        stack.ask_nothing()
        stack.init()
        stack.args |= {"api_url": gate.url, "adopt": True, "image": V2}
        stack.args["ingress"] = {"ips": ["v6"], "certificates": [HOST]}
        stack.environ["FLY_API_TOKEN"] = gate.token
        yield stack, gate


def rotate(stack: OwnProject, gate: TokenGate) -> str:
    """Another token is the only good one from here on. Answers the old one."""
    old, gate.token = gate.token, f"{gate.token}-rotated"
    stack.environ["FLY_API_TOKEN"] = gate.token
    return old


def fly_deploys(stack: OwnProject) -> None:
    """What a team has before it comes here: an app with two machines of `fly deploy`, and a worker."""
    stack.fly("POST", "", {"name": "rooms", "org_slug": "personal"})
    groups = {"still-river-1": ("ams", "app"), "calm-sea-2": ("iad", "app"), "worker-1": ("ams", "worker")}
    for name, (region, group) in groups.items():
        services = [SERVICE] if group == "app" else []
        stop = {"signal": "SIGTERM", "timeout": "10s"}
        config = {"image": V1, "metadata": fly_metadata(12, group), "services": services, "stop_config": stop}
        made = stack.fly("POST", "/rooms/machines", {"name": name, "region": region, "config": config})
        stack.fly("GET", f"/rooms/machines/{made['id']}/wait?state=started&timeout=60")


def path_of(stack: OwnProject, name: str) -> str:
    """Not from a list: an `up` has asked for some, and they are rationed."""
    return f"/rooms/machines/{stack.machines()[name]['machine_id']}"


def change_by_hand(stack: OwnProject, name: str, **config: Any) -> None:
    """`fly machine update`."""
    path = path_of(stack, name)
    stack.fly("POST", path, {"config": {**stack.fly("GET", path)["config"], **config}})
    stack.fly("GET", f"{path}/wait?state=started&timeout=60")


@pytest.mark.long
def test_the_life_of_a_stack(gated: tuple[OwnProject, TokenGate]) -> None:
    """Adopted, changed by hand and by Fly, repaired, ignored, renamed, upgraded, targeted, protected, retained,
    destroyed.
    """
    stack, gate = gated
    fly_deploys(stack)
    _state_of_elsewhere(stack)
    _adopt(stack)
    _drift(stack, gate)
    _later_fly_deploy(stack)
    _options(stack)
    _older_state(stack)
    _renames(stack)
    _ends(stack, gate)


def _state_of_elsewhere(stack: OwnProject) -> None:
    """A whole state file, of a deploy that failed behind its commit point, is imported as it is, and planned from."""
    empty, before = json.loads(stack.state()), stack.mark()
    stack.load(json.loads(UNFINISHED.read_text(encoding="utf-8")))
    told = ok(stack.run("preview", "--diff"))
    for text in (
        "change: adopt: changed",
        "change: api_url: changed",
        "change: secret_env: -API_KEY [secret]",
    ):
        assert text in told
    assert "blue 0-fly12-" in told
    assert "green 3-" in told, "the state's own generation is known"
    assert "another-example" not in told
    assert stack.changes_since(before) == []
    stack.load(empty)


def _adopt(stack: OwnProject) -> None:
    told = ok(stack.run("up", "--yes"))
    assert "adopts release 0-fly12-" in told
    assert "of the process group worker" in told
    assert version(stack)["version"] == "v2"
    assert set(stack.machines()) == {"rooms-g1-ams-1", "rooms-g1-iad-1", "worker-1"}
    assert stack.outputs()["drift"] == []
    assert len(stack.ingress()) == 2


def _drift(stack: OwnProject, gate: TokenGate) -> None:
    """Refresh says what was changed, with a token that was rotated meanwhile; `up` repairs it with a rollout."""
    old = rotate(stack, gate)
    before = stack.mark()
    assert "unchanged" in ok(stack.run("refresh", *YES))
    change_by_hand(stack, "rooms-g1-ams-1", image=V1)
    told = ok(stack.run("refresh", *YES))
    assert "(rooms-g1-ams-1): its image is registry.fly.io/rooms:v1" in told
    assert [r["action"] for r in stack.changes_since(before)] == ["update_machine"]
    (drift,) = stack.resource()["outputs"]["drift"]
    assert "(rooms-g1-ams-1): its image is registry.fly.io/rooms:v1" in drift
    images = {machine["name"]: machine["image"] for machine in stack.resource()["outputs"]["machines"]}
    assert images == {"rooms-g1-ams-1": V1, "rooms-g1-iad-1": V2}
    repaired = ok(stack.run("up", "--yes"))
    assert "why: drift: machine" in repaired
    assert set(stack.machines()) == {"rooms-g2-ams-1", "rooms-g2-iad-1", "worker-1"}
    assert old not in repaired


def _later_fly_deploy(stack: OwnProject) -> None:
    """`fly deploy` over our machines: an `up` is refused, and leaves them alone, until `adopt` asks for them."""
    for name in ("rooms-g2-ams-1", "rooms-g2-iad-1"):
        metadata = stack.fly("GET", path_of(stack, name))["config"]["metadata"] | fly_metadata(13)
        change_by_hand(stack, name, image=V1, metadata=metadata)
    before, machines = stack.mark(), set(stack.machines())
    stack.args["adopt"] = False
    refused = stack.run("up", *YES)
    assert refused.returncode != 0
    assert "adopt: true" in refused.stdout
    assert [r for r in stack.changes_since(before) if not r["path"].endswith("/lease")] == []
    assert set(stack.machines()) == machines
    stack.args["adopt"] = True
    told = ok(stack.run("up", "--yes"))
    assert "why: release 2-fly13-" in told
    assert "is taken over" in told
    assert set(stack.machines()) == {"rooms-g3-ams-1", "rooms-g3-iad-1", "worker-1"}
    assert version(stack)["version"] == "v2"


def _options(stack: OwnProject) -> None:
    """What the program ignores is no change, and what it protects is not destroyed."""
    before = stack.mark()
    stack.args["image"] = V1
    assert "unchanged" in ok(stack.run("up", *YES, ignore_changes=["image"], protect=True))
    refused = stack.run("destroy", *YES, ignore_changes=["image"], protect=True)
    assert refused.returncode != 0
    assert "protected" in refused.stdout
    assert stack.changes_since(before) == []
    stack.args["image"] = V2


def _older_state(stack: OwnProject) -> None:
    """A state of before there were some outputs is read, and is no change."""
    before, deployment = stack.mark(), json.loads(stack.state())
    for resource in deployment["deployment"]["resources"]:
        for part in ("inputs", "outputs"):
            for output in NEWER_OUTPUTS:
                resource.get(part, {}).pop(output, None)
        resource.pop("protect", None)
    stack.load(deployment)
    assert "create" not in ok(stack.run("preview", "--expect-no-changes"))
    assert stack.changes_since(before) == []


def _renames(stack: OwnProject) -> None:
    """With an alias it is the same resource; without one, the new resource has the app and the old one lets go."""
    machines, ingress, before = set(stack.machines()), stack.ingress(), stack.mark()
    stack.name = "game"
    assert "unchanged" in ok(stack.run("up", *YES, aliases=["app"]))
    stack.name = "lobby"
    told = ok(stack.run("up", *YES))
    assert "3 created" in told
    assert "3 deleted" in told
    assert stack.changes_since(before) == []
    assert stack.ingress() == ingress
    own = stack.resource(INGRESS)["outputs"]
    assert {*own["own_ips"], *own["own_certificates"]} == ingress
    assert set(stack.machines()) == machines
    assert version(stack)["version"] == "v2"


def _ends(stack: OwnProject, gate: TokenGate) -> None:
    """Targets alone are repaired in place; retained, it serves on and is found again; destroyed with a rotated token,
    only ours is gone.
    """
    machines, ingress = set(stack.machines()), stack.ingress()
    targets = [f"--target={stack.resource(of)['urn']}" for of in (OURS, INGRESS)]
    _repair(stack, *targets, "--target-dependents", retain_on_delete=True)
    before = stack.mark()
    ok(stack.run("destroy", *YES, retain_on_delete=True))
    assert (set(stack.machines()), stack.ingress()) == (machines, ingress)
    ok(stack.run("up", *YES))
    assert stack.resource()["outputs"]["release"].startswith("3-")
    assert stack.changes_since(before) == []
    stack.environ["FLY_API_TOKEN"] = old = rotate(stack, gate)
    refused = stack.run("destroy", *YES)
    assert refused.returncode != 0
    assert "answered 401" in refused.stdout
    assert old not in refused.stdout
    stack.environ["FLY_API_TOKEN"] = gate.token
    ok(stack.run("destroy", *YES))
    assert (set(stack.machines()), stack.ingress()) == ({"worker-1"}, set())


def _repair(stack: OwnProject, *argv: str, **options: Any) -> None:
    """A machine that somebody has cordoned is routed again: what is done to any leaves it the machine that it is."""
    ids = {name: machine["machine_id"] for name, machine in stack.machines().items()}
    cordoned = ids["rooms-g3-iad-1"]
    stack.fly("POST", f"/rooms/machines/{cordoned}/cordon")
    before = stack.mark()
    told = ok(stack.run("up", *YES, *argv, **options))
    assert "(rooms-g3-iad-1) is cordoned: no user reaches it" in told
    done = [r for r in stack.changes_since(before) if not r["path"].endswith("/lease")]
    assert ("uncordon", cordoned) in {(r["action"], r["machine_id"]) for r in done}
    assert {r["action"] for r in done} <= {"uncordon", "set_metadata_key"}
    assert {name: machine["machine_id"] for name, machine in stack.machines().items()} == ids
