"""A program as a type checker sees it: `make check` reads this, and nothing runs it.

An ignored line is one that the checker must refuse: where it did not, mypy would report the comment as unused.
"""

from __future__ import annotations

from pulumi import Output

from components import BlueGreenFlyApp, BlueGreenFlyAppArgs, NotifyArgs, ServiceArgs

SERVICE: ServiceArgs = {"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}
NOTIFY: NotifyArgs = {"url": "https://hooks.example.com", "secret": Output.secret("at least 16 characters")}


def accepted(image: Output[str], production: bool) -> BlueGreenFlyApp:
    """Plain values, outputs, and choices that depend on something."""
    return BlueGreenFlyApp(
        "app",
        BlueGreenFlyAppArgs(
            app="my-game",
            image=image,
            regions={"ams": 2, "iad": 2},
            services=[SERVICE],
            state_store={"bucket": "my-game-state", "prefix": "prod/"},
            drain={"type": "request", "port": 8081},
            cutover="handoff",
            tunnel="fly-proxy",
            approval="manual" if production else "none",
            notify=NOTIFY,
        ),
    )


def refused() -> list[BlueGreenFlyAppArgs]:
    """A choice that there is not, before anything runs."""
    return [
        BlueGreenFlyAppArgs("my-game", {"ams": 2}, cutover="bluegreen"),  # type: ignore[arg-type]
        BlueGreenFlyAppArgs("my-game", {"ams": 2}, tunnel="wireguard"),  # type: ignore[arg-type]
        BlueGreenFlyAppArgs("my-game", {"ams": 2}, approval="automatic"),  # type: ignore[arg-type]
        BlueGreenFlyAppArgs("my-game", {"ams": 2}, notify={"url": "https://hooks.example.com"}),  # type: ignore[arg-type]
    ]
