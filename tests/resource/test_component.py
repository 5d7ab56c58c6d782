"""The component as users' own unit tests see it, with Pulumi's mocks."""

from __future__ import annotations

import pulumi
from pulumi.runtime import mocks

from components import BlueGreenFlyApp, BlueGreenFlyAppArgs


class Recorder(mocks.Mocks):
    """Remembers what is registered; gives the dynamic resource the outputs of a deployed app."""

    def __init__(self) -> None:
        self.registered: dict[str, mocks.MockResourceArgs] = {}

    def new_resource(self, args: mocks.MockResourceArgs):
        self.registered[args.typ] = args
        return args.name, {**args.inputs, "url": "https://rooms.fly.dev", "release": "1-3fa9c1d20e"}

    def call(self, args: mocks.MockCallArgs):
        return {}


def register(recorder: Recorder) -> BlueGreenFlyApp:
    mocks.set_mocks(recorder, preview=False)
    args = BlueGreenFlyAppArgs(
        app="rooms",
        image="registry.fly.io/rooms:v1",
        regions={"ams": 2},
        services=[{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}],
    )
    return BlueGreenFlyApp("app", args)


@pulumi.runtime.test
def test_the_component_registers_one_dynamic_resource_with_the_given_arguments():
    """What was given is passed on under Fly's own names, and what was left out is left to the schema's defaults."""
    recorder = Recorder()
    app = register(recorder)

    def check(url: str) -> None:
        inputs = recorder.registered["pulumi-python:dynamic/fly:BlueGreenFlyApp"].inputs
        assert inputs["regions"] == {"ams": 2}
        assert "guest" not in inputs
        assert url == "https://rooms.fly.dev"

    return app.url.apply(check)
