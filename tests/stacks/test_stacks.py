"""The stacks' files: one schema for all keys, and messages that say what to write instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config

from components.args import BlueGreenFlyAppArgs
from components.schema import StackConfig
from components.stack import read_stack

STACKS = Path(__file__).parents[2] / "stacks"
GOOD = {
    "app": "my-game",
    "image": "registry.fly.io/my-game:v1",
    "regions": {"ams": 2},
    "services": [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}],
}


def read(config: Mapping[str, Any], *, secret: tuple[str, ...] = ()) -> BlueGreenFlyAppArgs:
    """What a program gets from this configuration; Pulumi hands all values over as text."""
    pulumi.runtime.set_mocks(NoResources(), project="bluegreen-fly", stack="test")
    texts = {f"bluegreen-fly:{key}": as_text(value) for key, value in config.items()}
    set_all_config(texts | {"other:key": "somebody else's"}, [f"bluegreen-fly:{key}" for key in secret])
    return read_stack()


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class NoResources(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs):
        raise AssertionError(f"{args.typ} was registered")

    def call(self, args: pulumi.runtime.MockCallArgs):
        return {}


def from_file(name: str) -> dict[str, Any]:
    config = yaml.safe_load((STACKS / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))["config"]
    return {key.removeprefix("bluegreen-fly:"): value for key, value in config.items()}


def refusal(**changes: Any) -> str:
    """The message for the good configuration with changes, ``None`` leaving a key out."""
    with pytest.raises(pulumi.RunError) as refused:
        read({key: value for key, value in (GOOD | changes).items() if value is not None})
    return str(refused.value)


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_each_stack_is_complete_and_reads_as_it_is_written(name: str) -> None:
    """The three files need nothing but an environment, and their values arrive as they stand there."""
    args = read(from_file(name))
    assert args.props() | ({"ingress": args.ingress} if args.ingress else {}) == from_file(name)


def test_the_stacks_differ_where_teams_do() -> None:
    """One person approves in production, where the way back stays open; elsewhere nobody waits. All switch alike."""
    dev, staging, prod = (StackConfig.model_validate(from_file(name)) for name in ("dev", "staging", "prod"))
    assert [it.approval for it in (dev, staging, prod)] == ["none", "none", "manual"]
    assert [it.bake for it in (dev, staging, prod)] == ["0s", "30s", "10m"]
    assert [it.keep_warm for it in (dev, staging, prod)] == ["0s", "0s", "2h"]
    assert [it.machine_count for it in (dev, staging, prod)] == [4, 2, 6]
    assert [sorted(it.regions) for it in (dev, staging, prod)] == [["ams", "iad"]] * 2 + [
        ["ams", "iad", "sin"]
    ]
    assert {it.cutover for it in (dev, staging, prod)} == {"handoff"}
    assert dev.drain.type == "request"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"app": None}, "app: Field required; an example that works: {"),
        ({"regions": {"amsterdam": 2}}, 'regions.amsterdam: "amsterdam" is not a region code'),
        ({"regions": "ams"}, 'an example that works: {"regions": {"ams": 2, "iad": 2}}'),
        ({"regoins": {"ams": 2}}, "regoins: there is no such key; did you mean regions?"),
        ({"bake": "5 minutes"}, '"5 minutes" is not a duration; write it as "30s"'),
        ({"services": None}, "services: no health check"),
        ({"state_store": {"prefix": "prod/"}}, "state_store.bucket: Field required"),
        ({"keep_failed_green": "maybe"}, "keep_failed_green: "),
        ({"build": {"image": "registry.fly.io/my-game"}}, "build: image is given, too"),
        ({"image": None, "build": {"image": "a/b:v1"}}, '"a/b:v1" has a tag'),
        ({"image": None, "build": {"image": "a/b", "context": "/srv"}}, "build.context: "),
        ({"ingress": {"ips": ["v5"]}}, "ingress.ips.0: "),
        ({"ingress": {"certificates": ["https://a.b"]}}, "is not a hostname"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_to_write(changes, message) -> None:
    """Before any call, in Pulumi's own short form, and naming the stack."""
    assert message in refusal(**changes)
    assert refusal(**changes).startswith("stack test:\n")


def test_all_faults_are_told_at_once() -> None:
    """Nobody has to run preview once for each wrong key."""
    told = refusal(app="My Game", regions={}, typo=1)
    assert all(f"\n  - {key}: " in told for key in ("app", "regions", "typo"))


CANARY = "canary-77-canary-77"
WITH_HEADER = {"type": "http", "name": "a", "path": "/", "headers": {"Authorization": CANARY}}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"secret_env": {"KEY": CANARY}}, "secret_env.NAME"),
        ({"notify": {"url": "https://hooks.example.com", "secret": CANARY}}, "notify.secret"),
        ({"tests": [WITH_HEADER]}, "'tests[0].headers.Authorization'"),
        ({"state_proof": {"type": "http", "url": f"https://me:{CANARY}@example.com"}}, "state_proof.url"),
        ({"env": {"DATABASE_URL": f"postgres://me:{CANARY}@db/game"}}, "secret_env.DATABASE_URL"),
    ],
)
def test_secrets_are_pulumi_secrets_or_refused(changes: dict[str, Any], path: str) -> None:
    """Plain text in a file is refused without being repeated; an encrypted one stays a secret all the way."""
    told = refusal(**changes)
    assert f"is plain text; set each with `pulumi config set --secret --path {path}`" in told
    assert "canary" not in told
    (key,) = changes
    args = read(GOOD | changes, secret=(key,))
    assert isinstance(getattr(args, key), pulumi.Output)
    assert "canary" not in repr(args)


def test_what_may_be_public_is_taken_as_it_is() -> None:
    """Negative control: any other header, a command's env, and a URL with a name but no password."""
    http = {"type": "http", "name": "a", "path": "/", "headers": {"Accept": "text/html"}}
    command = {"type": "command", "name": "b", "argv": ["true"], "env": {"LEVEL": "fast"}}
    read(GOOD | {"tests": [http, command], "env": {"REMOTE": "ssh://git@example.com/game"}})


def test_a_fault_of_a_secret_shows_no_value() -> None:
    """What is wrong is said by its key."""
    with pytest.raises(pulumi.RunError) as refused:
        read(GOOD | {"secret_env": {"KEY": ["canary-77"]}}, secret=("secret_env",))
    assert "secret_env.KEY: " in str(refused.value)
    assert "; set it with `pulumi config set --secret --path secret_env.KEY`" in str(refused.value)
    assert "canary-77" not in str(refused.value)


def test_an_empty_part_means_its_defaults() -> None:
    """`rehearsal: {}` is a rehearsal, and an empty text is no value."""
    args = read(GOOD | {"rehearsal": {}, "approved_release": ""})
    assert (args.rehearsal, args.approved_release) == ({}, None)
