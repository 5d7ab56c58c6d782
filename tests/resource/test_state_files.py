"""State files of earlier versions, as `pulumi stack export --show-secrets` wrote them: read by today's code, no change.

A version that writes other outputs, or computes another digest, adds a file; none is ever changed.
"""

from __future__ import annotations

import base64
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from providers import inputs, outputs
from providers.bluegreen.commits import newest_committed
from providers.bluegreen.model import Release
from providers.bluegreen.plan import next_step
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene, machine_name
from providers.bluegreen.spec import Spec
from providers.ingress import FlyIngressProvider
from providers.resource import BlueGreenFlyAppProvider
from tests.bluegreen.worlds import serving, world

FOLDER = Path(__file__).parents[1] / "state_files"
FILES = sorted(FOLDER.glob("*.json"))
AWAITING, UNFINISHED = FOLDER / "awaiting_approval.json", FOLDER / "unfinished_behind_the_commit_point.json"
SERVING = [file for file in FILES if file not in (AWAITING, UNFINISHED)]
TYPE = "pulumi-python:dynamic/fly:BlueGreenFlyApp"
INGRESS = "pulumi-python:dynamic/fly:FlyIngress"
SECRET = "4dabf18193072939515e22adb298388d"


def resource(file: Path, type_: str = TYPE) -> dict[str, Any]:
    """The resource of this type in a state file, as its provider is given it."""
    resources = json.loads(file.read_text(encoding="utf-8"))["deployment"]["resources"]
    (found,) = (part for part in resources if part["type"] == type_)
    return {**found, "inputs": _plain(found["inputs"]), "outputs": _plain(found["outputs"])}


def _plain(value: Any) -> Any:
    """What the engine hands to a provider: secrets as they are."""
    if isinstance(value, dict):
        if SECRET in value:
            return json.loads(value["plaintext"])
        return {key: _plain(item) for key, item in value.items()}
    return value


def state_of(olds: dict[str, Any]) -> Scene:
    """The world that this state speaks of, under today's code."""
    spec = inputs.parse(olds)
    release = Release.parse(olds["release"])
    assert release
    machines = []
    for machine in serving(spec, release.generation):
        name = machine_name(spec.app, release, machine.region, int(machine.name[-1]))
        machines.append(replace(machine, release=release, name=name))
    seen = world(tuple(machines))
    return Scene(resolve(spec, seen, known_generation=outputs.generation_of(olds)), seen)


def provider_of(found: dict[str, Any]) -> object:
    """What Pulumi makes of the pickle in the state."""
    return pickle.loads(base64.b64decode(found["outputs"]["__provider"]))  # noqa: S301  our own file


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_state_of_an_earlier_version_is_read(file: Path) -> None:
    """The provider is found where its pickle says, inputs and outputs are valid, and machines serve by it."""
    found = resource(file)
    assert type(provider_of(found)) is BlueGreenFlyAppProvider
    assert inputs.faults(found["inputs"]) == inputs.faults(found["outputs"]) == []
    assert outputs.machine_ids_of(found["outputs"])
    assert Release.parse(found["outputs"]["release"])


@pytest.mark.parametrize("file", SERVING, ids=lambda file: file.stem)
def test_a_state_of_what_serves_is_no_change(file: Path) -> None:
    """Inputs and outputs are one spec; its release is what is wanted."""
    found = resource(file)
    assert inputs.parse(found["outputs"]) == inputs.parse(found["inputs"])
    scene = state_of(found["outputs"])
    owner = newest_committed(scene.observation)
    assert owner
    assert scene.intent.release == owner.release
    assert next_step(scene) is None
    assert outputs.blue_secrets_of(found["outputs"]) == {}


def test_a_state_that_awaits_approval_names_what_waits_and_keeps_blues_secrets() -> None:
    """Blue serves, of the configuration before; the release that waits is of the one that the state holds."""
    olds = resource(AWAITING)["outputs"]
    pending, serving_ = Release.parse(olds["pending_release"]), Release.parse(olds["release"])
    assert pending
    assert serving_
    assert olds["phase"] == outputs.AWAITING
    assert pending.digest == inputs.parse(olds).digest != serving_.digest
    assert (serving_.generation, outputs.generation_of(olds), pending.generation) == (1, 1, 2)
    assert outputs.blue_secrets_of(olds) == {"API_KEY": SecretStr("an-example")}


def test_a_state_behind_a_partial_failure_says_who_owns_the_state() -> None:
    """Green does, by its outputs; the engine's list of reasons is beside them, and blue's secrets for a way back."""
    found = resource(UNFINISHED)
    olds = found["outputs"]
    release = Release.parse(olds["release"])
    assert release
    assert olds["phase"] == "switch-routes"
    assert (release.generation, outputs.generation_of(olds)) == (2, 2)
    assert release.digest == inputs.parse(olds).digest
    (reason,) = found["initErrors"]
    assert "Next: pulumi up" in reason
    assert outputs.blue_secrets_of(olds) == {"API_KEY": SecretStr("an-example")}


def test_a_state_with_public_addresses_is_no_change_of_them() -> None:
    """The ingress resource's provider is found too, and has nothing to do; another certificate would be something."""
    found = resource(FOLDER / "with_ingress.json", INGRESS)
    provider, olds, news = FlyIngressProvider(), found["outputs"], found["inputs"]
    assert type(provider_of(found)) is FlyIngressProvider
    assert not provider.diff("rooms", olds, news).changes
    more = news | {"certificates": [*news["certificates"], "www.example.com"]}
    assert provider.diff("rooms", olds, more).changes


def test_a_change_would_be_one() -> None:
    """The negative control: another image, on the same state, is a rollout."""
    olds = resource(SERVING[0])["outputs"]
    changed: Spec = inputs.parse(olds | {"image": "registry.fly.io/rooms:v2"})
    seen = state_of(olds).observation
    scene = Scene(resolve(changed, seen, known_generation=1), seen)
    assert next_step(scene)
    assert scene.intent.release.generation == 2
