"""What a Pulumi program instantiates."""

from components.args import (
    BlueGreenFlyAppArgs,
    CheckArgs,
    ConcurrencyArgs,
    DeadlinesArgs,
    GuestArgs,
    RoutingProbeArgs,
    ServiceArgs,
    ServicePortArgs,
    StateStoreArgs,
    StopConfigArgs,
)
from components.blue_green_fly_app import BlueGreenFlyApp

__all__ = [
    "BlueGreenFlyApp",
    "BlueGreenFlyAppArgs",
    "CheckArgs",
    "ConcurrencyArgs",
    "DeadlinesArgs",
    "GuestArgs",
    "RoutingProbeArgs",
    "ServiceArgs",
    "ServicePortArgs",
    "StateStoreArgs",
    "StopConfigArgs",
]
