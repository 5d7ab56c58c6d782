"""The component as users' own unit tests see it, with Pulumi's mocks."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pulumi
import pytest
from pulumi.runtime import mocks

import components
from components import BlueGreenFlyApp, BlueGreenFlyAppArgs, args
from components.schema import StackConfig

DEPLOYMENT = "pulumi-python:dynamic/fly:BlueGreenFlyApp"
INGRESS = "pulumi-python:dynamic/fly:FlyIngress"
COMMAND = "command:local:Command"
DIGEST = "registry.fly.io/rooms@sha256:" + "ab" * 32


class Recorder(mocks.Mocks):
    """Remembers what is registered; gives the dynamic resource the outputs of a deployed app."""

    def __init__(self) -> None:
        self.registered: dict[str, mocks.MockResourceArgs] = {}
        self.retained: dict[str, bool] = {}

    def new_resource(self, args: mocks.MockResourceArgs):
        self.registered[args.typ] = args
        outputs = {"url": "https://rooms.fly.dev", "release": "1-3fa9c1d20e-7c41", "stdout": DIGEST}
        ingress = {"addresses": {"203.0.113.1": "shared_v4"}, "own_ips": ["203.0.113.1"]}
        return args.name, {**args.inputs, **outputs, **ingress}

    def call(self, args: mocks.MockCallArgs):
        return {}


class Monitor(mocks.MockMonitor):
    """Hears of resources' options, too, which mocks are not told."""

    mocks: Recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  a gRPC method
        self.mocks.retained[request.type] = request.retainOnDelete
        return super().RegisterResource(request)


def register(
    recorder: Recorder, options: pulumi.ResourceOptions | None = None, **more: Any
) -> BlueGreenFlyApp:
    mocks.set_mocks(recorder, preview=False, monitor=Monitor(recorder))
    image = {} if "build" in more else {"image": "registry.fly.io/rooms:v1"}
    services = [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}]
    given = BlueGreenFlyAppArgs(
        **{"app": "rooms", "regions": {"ams": 2}, "services": services} | image | more
    )
    return BlueGreenFlyApp("app", given, options)


@pulumi.runtime.test
def test_the_component_registers_one_dynamic_resource_with_the_given_arguments():
    """What was given is passed on under Fly's own names, and what was left out is left to the schema's defaults."""
    recorder = Recorder()
    app = register(recorder)

    def check(url: str) -> None:
        inputs = recorder.registered[DEPLOYMENT].inputs
        assert inputs["regions"] == {"ams": 2}
        assert not inputs.keys() & {"guest", "build", "ingress"}
        assert INGRESS not in recorder.registered
        assert url == "https://rooms.fly.dev"

    return app.url.apply(check)


@pulumi.runtime.test
def test_ingress_is_a_resource_of_its_own_that_comes_first():
    """Addresses and certificates are made before the machines, with the defaults of the schema."""
    recorder = Recorder()
    app = register(recorder, ingress={"certificates": ["play.example.com"]}, api_url="http://127.0.0.1:4280")

    def check(told: list[Any]) -> None:
        ingress = recorder.registered[INGRESS].inputs
        assert ingress["ips"] == ["shared_v4", "v6"]
        assert (ingress["app"], ingress["org"]) == ("rooms", "personal")
        assert ingress["api_url"] == "http://127.0.0.1:4280"
        assert list(recorder.registered).index(INGRESS) < list(recorder.registered).index(DEPLOYMENT)
        assert told[1]["addresses"] == {"203.0.113.1": "shared_v4"}
        assert recorder.registered[DEPLOYMENT].inputs["ingress_made"] == "203.0.113.1"

    return pulumi.Output.all(app.url, app.ingress).apply(check)


@pulumi.runtime.test
def test_what_is_retained_is_retained_whole():
    """Machines without the addresses that lead to them serve nobody; without the option, neither is retained."""
    kept, given_up = Recorder(), Recorder()
    apps = [
        register(recorder, options, ingress={})
        for recorder, options in ((kept, pulumi.ResourceOptions(retain_on_delete=True)), (given_up, None))
    ]

    def check(_: list[str]) -> None:
        for recorder, retained in ((kept, True), (given_up, False)):
            assert [recorder.retained[of] for of in (INGRESS, DEPLOYMENT)] == [retained, retained]

    return pulumi.Output.all(*(app.url for app in apps)).apply(check)


@pulumi.runtime.test
def test_a_build_is_deployed_by_the_digest_that_it_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not by its tag: whoever pushes over it changes nothing that runs."""
    pytest.importorskip("pulumi_command")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    recorder = Recorder()
    app = register(recorder, build={"image": "registry.fly.io/rooms"})

    def check(told: list[Any]) -> None:
        command = recorder.registered[COMMAND].inputs
        assert told == [DIGEST, "https://rooms.fly.dev"]
        assert recorder.registered[DEPLOYMENT].inputs["image"] == DIGEST
        assert "rooms" not in command["create"]
        assert command["environment"]["BLUEGREEN_IMAGE"].startswith("registry.fly.io/rooms:src-")
        assert str(tmp_path) not in str(command)

    return pulumi.Output.all(app.image, app.url).apply(check)


@pytest.mark.parametrize("images", [{"image": "a/b:v1", "build": {"image": "a/b"}}, {"image": None}])
def test_an_image_is_given_or_built(images: dict[str, Any]) -> None:
    """Both, or neither, is refused before anything is registered."""
    with pytest.raises(pulumi.RunError, match="either image or build"):
        register(Recorder(), **images)


def test_the_arguments_are_the_schemas() -> None:
    """No key of the configuration is missing among the arguments, each is documented, and no part lacks a key."""
    names = {field.name for field in fields(BlueGreenFlyAppArgs)}
    assert names == set(StackConfig.model_fields)
    documented = BlueGreenFlyAppArgs.__doc__ or ""
    assert [name for name in names if f"        {name}: " not in documented] == []
    definitions = StackConfig.model_json_schema(by_alias=True)["$defs"]
    for model, definition in definitions.items():
        typed = getattr(components, f"{model}Args", None)
        if typed:
            assert set(get_type_hints(typed)) == set(definition["properties"]), model


def test_every_part_of_the_arguments_can_be_imported() -> None:
    """What a program writes types with is one import away."""
    parts = {name for name in vars(args) if name.endswith("Args")}
    assert parts == {name for name in components.__all__ if name.endswith("Args")}


@pytest.mark.parametrize("key", ["cutover", "tunnel", "approval"])
def test_a_choice_has_the_schemas_values(key: str) -> None:
    """A type checker refuses what `up` would refuse."""
    (written,) = (str(field.type) for field in fields(BlueGreenFlyAppArgs) if field.name == key)
    schema = StackConfig.model_json_schema()["properties"][key]
    assert written.startswith("Input[Literal[")
    assert re.findall(r"'(.*?)'", written) == schema["enum"]


def loaded_by(program: str) -> set[str]:
    """Our modules that a process has loaded at the end of this."""
    tell = "; import sys; print(*(name for name in sys.modules if name.startswith('providers')))"
    done = subprocess.run([sys.executable, "-c", program + tell], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_program_loads_no_deployer() -> None:
    """Each `pulumi` command runs the program: what only the provider's process needs is not loaded there."""
    found = loaded_by("import components.stack")
    assert {"providers.resource", "providers.ingress"} <= found
    deployer = (
        "providers.deployment",
        "providers.provisioning",
        "providers.bluegreen.deploy",
        "providers.fly",
    )
    assert not [name for name in found if name.startswith(deployer)]


@pytest.mark.parametrize(
    ("provider", "work"),
    [
        ("providers.resource.BlueGreenFlyAppProvider", "providers.deployment"),
        ("providers.ingress.FlyIngressProvider", "providers.provisioning"),
    ],
)
def test_a_provider_has_loaded_its_work_before_its_first_call(provider: str, work: str) -> None:
    """The SDK configures one at a time; calls come at once, and might load at once."""
    module = provider.rpartition(".")[0]
    assert work not in loaded_by(f"import {module}")
    assert work in loaded_by(f"import {module}; {provider}().configure(None)")
