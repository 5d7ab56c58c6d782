"""A program of yours: two environments of one game."""

from __future__ import annotations

from components import BlueGreenFlyApp, BlueGreenFlyAppArgs

MACHINES = {"staging": 1, "prod": 2}


def deploy(environment: str, image: str) -> BlueGreenFlyApp:
    """The game in one environment; production waits for an approval."""
    return BlueGreenFlyApp(
        "game",
        BlueGreenFlyAppArgs(
            app=f"my-game-{environment}",
            image=image,
            regions={"ams": MACHINES[environment], "iad": MACHINES[environment]},
            services=[{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}],
            state_store={"bucket": "my-game-state", "prefix": f"{environment}/"},
            approval="manual" if environment == "prod" else "none",
        ),
    )
