"""What a Pulumi program instantiates."""

from components.args import (
    BlueGreenFlyAppArgs,
    CheckArgs,
    ConcurrencyArgs,
    DeadlinesArgs,
    DrainArgs,
    ExpectArgs,
    GuestArgs,
    RehearsalArgs,
    ReleaseCommandArgs,
    RoutingProbeArgs,
    ServiceArgs,
    ServicePortArgs,
    StateProofArgs,
    StateStoreArgs,
    StopConfigArgs,
    TestArgs,
)
from components.blue_green_fly_app import BlueGreenFlyApp

__all__ = [
    "BlueGreenFlyApp",
    "BlueGreenFlyAppArgs",
    "CheckArgs",
    "ConcurrencyArgs",
    "DeadlinesArgs",
    "DrainArgs",
    "ExpectArgs",
    "GuestArgs",
    "RehearsalArgs",
    "ReleaseCommandArgs",
    "RoutingProbeArgs",
    "ServiceArgs",
    "ServicePortArgs",
    "StateProofArgs",
    "StateStoreArgs",
    "StopConfigArgs",
    "TestArgs",
]
