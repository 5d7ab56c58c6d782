"""The dynamic resource: Pulumi's calls, passed on to ``providers.deployment``.

The import path of ``BlueGreenFlyAppProvider`` is part of every state file (it is pickled by reference): it is
stable for ever, and so is the resource's type, ``pulumi-python:dynamic/fly:BlueGreenFlyApp``.

A program pickles the provider and calls nothing of it, so the deployer behind it is loaded with the first call: that is
a fifth of what a program loads (0.1 of 0.5 CPU seconds in each ``pulumi`` command, measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

Props = dict[str, Any]


class BlueGreenFlyAppProvider(ResourceProvider):
    """Pulumi's calls. It has no attributes: an instance is pickled into the state."""

    def configure(self, req: ConfigureRequest) -> None:
        """Load what the calls need: the SDK calls this once in a provider's process, under a lock. Two calls that load
        at once could keep each other from it.
        """
        from providers import deployment  # noqa: F401, PLC0415

    def check(self, olds: Props, news: Props) -> CheckResult:
        from providers import deployment  # noqa: PLC0415

        return deployment.check(olds, news)

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        from providers import deployment  # noqa: PLC0415

        return deployment.diff(olds, news)

    def create(self, props: Props) -> CreateResult:
        from providers import deployment  # noqa: PLC0415

        return deployment.create(props)

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        from providers import deployment  # noqa: PLC0415

        return deployment.update(olds, news)

    def read(self, id_: str, props: Props) -> ReadResult:
        from providers import deployment  # noqa: PLC0415

        return deployment.read(id_, props)

    def delete(self, id_: str, props: Props) -> None:
        from providers import deployment  # noqa: PLC0415

        deployment.delete(props)


class BlueGreenFlyAppResource(Resource, module="fly", name="BlueGreenFlyApp"):
    """The custom resource behind ``components.BlueGreenFlyApp``. Properties are those of ``Spec``, plus the outputs."""

    url: Output[str]
    release: Output[str]
    serving: Output[dict[str, Any]]
    machines: Output[list[dict[str, Any]]]
    drift: Output[list[str]]
    phase: Output[str]
    handoff_window_seconds: Output[float | None]
    phases: Output[list[dict[str, Any]]]
    proven: Output[dict[str, float]]
    test_results: Output[list[dict[str, Any]]]
    pending_release: Output[str]
    api_calls: Output[int]
    generation: Output[int]
    app_created: Output[bool]

    def __init__(
        self, name: str, props: Mapping[str, Input[Any]], opts: ResourceOptions | None = None
    ) -> None:
        unset = dict.fromkeys(_OUTPUTS)
        super().__init__(BlueGreenFlyAppProvider(), name, {**props, **unset}, opts)


_OUTPUTS = (
    "url",
    "release",
    "serving",
    "machines",
    "drift",
    "phase",
    "handoff_window_seconds",
    "phases",
    "proven",
    "test_results",
    "pending_release",
    "blue_secret_env",
    "api_calls",
    "generation",
    "app_created",
)
