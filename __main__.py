"""One app, deployed blue-green: the stack's configuration becomes one component, and its outputs the stack's."""

from typing import Any

import pulumi

from components import BlueGreenFlyApp, BlueGreenFlyAppArgs

config = pulumi.Config()


def given(key: str) -> Any:
    """A structured value, or ``None`` where the stack leaves Pulumi.yaml's empty default."""
    return config.get_object(key) or None


app = BlueGreenFlyApp(
    "app",
    BlueGreenFlyAppArgs(
        app=config.require("app"),
        org=config.get("org"),
        image=config.require("image"),
        regions=config.require_object("regions"),
        guest=given("guest"),
        env=given("env"),
        secret_env=config.get_secret_object("secret_env"),
        services=given("services"),
        checks=given("checks"),
        stop_config=given("stop_config"),
        deadlines=given("deadlines"),
        state_store=given("state_store"),
        cutover=config.get("cutover"),
        public_url=config.get("public_url") or None,
        routing_probe=given("routing_probe"),
        tunnel=config.get("tunnel"),
        release_command=given("release_command"),
        min_healthy=config.get("min_healthy"),
        tests=given("tests"),
        rehearsal=given("rehearsal"),
        approval=config.get("approval"),
        approved_release=config.get("approved_release") or None,
        drain=given("drain"),
        state_proof=given("state_proof"),
        bake=config.get("bake"),
        keep_warm=config.get("keep_warm"),
        keep_failed_green=config.get_bool("keep_failed_green"),
        notify=config.get_secret_object("notify"),
        api_url=config.get("api_url") or None,
    ),
)

pulumi.export("url", app.url)
pulumi.export("release", app.release)
pulumi.export("serving", app.serving)
pulumi.export("phase", app.phase)
pulumi.export("handoff_window_seconds", app.handoff_window_seconds)
pulumi.export("phases", app.phases)
pulumi.export("proven", app.proven)
pulumi.export("test_results", app.test_results)
pulumi.export("pending_release", app.pending_release)
pulumi.export("api_calls", app.api_calls)
