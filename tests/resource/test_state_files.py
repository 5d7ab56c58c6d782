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

from providers import inputs, outputs
from providers.bluegreen.commits import newest_committed
from providers.bluegreen.model import Release
from providers.bluegreen.plan import next_step
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene, machine_name
from providers.bluegreen.spec import Spec
from providers.resource import BlueGreenFlyAppProvider
from tests.bluegreen.worlds import serving, world

FILES = sorted((Path(__file__).parents[1] / "state_files").glob("*.json"))
TYPE = "pulumi-python:dynamic/fly:BlueGreenFlyApp"
SECRET = "4dabf18193072939515e22adb298388d"


def resource(file: Path) -> dict[str, Any]:
    """The app's resource in a state file, as its provider is given it."""
    resources = json.loads(file.read_text(encoding="utf-8"))["deployment"]["resources"]
    (found,) = (part for part in resources if part["type"] == TYPE)
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_state_of_an_earlier_version_is_read_and_is_no_change(file: Path) -> None:
    """The provider is found where its pickle says; inputs and outputs are one spec; its release is what is wanted."""
    found = resource(file)
    provider = pickle.loads(base64.b64decode(found["outputs"]["__provider"]))  # noqa: S301  our own file
    assert type(provider) is BlueGreenFlyAppProvider
    assert inputs.faults(found["inputs"]) == inputs.faults(found["outputs"]) == []
    assert inputs.parse(found["outputs"]) == inputs.parse(found["inputs"])
    scene = state_of(found["outputs"])
    owner = newest_committed(scene.observation)
    assert owner
    assert scene.intent.release == owner.release
    assert next_step(scene) is None
    assert outputs.machine_ids_of(found["outputs"])
    assert outputs.blue_secrets_of(found["outputs"]) == {}


def test_a_change_would_be_one() -> None:
    """The negative control: another image, on the same state, is a rollout."""
    olds = resource(FILES[0])["outputs"]
    changed: Spec = inputs.parse(olds | {"image": "registry.fly.io/rooms:v2"})
    seen = state_of(olds).observation
    scene = Scene(resolve(changed, seen, known_generation=1), seen)
    assert next_step(scene)
    assert scene.intent.release.generation == 2
