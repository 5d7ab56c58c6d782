"""The component: one app on Fly whose every change of image or configuration is a blue-green rollout."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import ComponentResource, Output, ResourceOptions

from components.args import BlueGreenFlyAppArgs
from providers.resource import BlueGreenFlyAppResource


class BlueGreenFlyApp(ComponentResource):
    """A stateful app that is deployed as create-new, verify, drain-old, switch-routes, retire-old.

    Outputs: ``url``; ``release`` (``"<generation>-<digest>"``); ``serving`` (release, machine ids, regions, image
    digest); ``phase`` (``"serving"``, where an unfinished rollout stands, or how a failed one ended);
    ``handoff_window_seconds`` (of the last rollout, ``None`` on a first deploy); ``phases`` (name, start in epoch
    seconds, seconds); ``proven`` (rooms, objects, bytes proven saved; start, seconds); ``test_results`` (name, start,
    seconds, summary); ``pending_release`` (what waits for approval: set ``approved_release`` to it); ``api_calls``.

    A failed rollout fails ``pulumi up`` and says which cluster serves. Wrong arguments fail before any call.
    """

    url: Output[str]
    release: Output[str]
    serving: Output[dict[str, Any]]
    phase: Output[str]
    handoff_window_seconds: Output[float | None]
    phases: Output[list[dict[str, Any]]]
    proven: Output[dict[str, float]]
    test_results: Output[list[dict[str, Any]]]
    pending_release: Output[str]
    api_calls: Output[int]

    def __init__(self, name: str, args: BlueGreenFlyAppArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:fly:BlueGreenFlyApp", name, None, opts)
        secret = ResourceOptions(
            parent=self, additional_secret_outputs=["secret_env", "blue_secret_env", "notify"]
        )
        props = args.props()
        for key in ("secret_env", "notify"):
            if key in props:
                props[key] = pulumi.Output.secret(props[key])
        app = BlueGreenFlyAppResource(name, props, secret)
        outputs = {
            "url": app.url,
            "release": app.release,
            "serving": app.serving,
            "phase": app.phase,
            "handoff_window_seconds": app.handoff_window_seconds,
            "phases": app.phases,
            "proven": app.proven,
            "test_results": app.test_results,
            "pending_release": app.pending_release,
            "api_calls": app.api_calls,
        }
        for key, value in outputs.items():
            setattr(self, key, value)
        self.register_outputs(outputs)
