"""A typed client of Fly's Machines API. One module per API resource; limits and retries are data."""

from providers.fly.api import Api, connect
from providers.fly.apps import Apps
from providers.fly.errors import (
    Ambiguous,
    BadAnswer,
    Conflict,
    FlyError,
    Forbidden,
    Invalid,
    Lapsed,
    NotFound,
    NotReached,
    PreconditionFailed,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)
from providers.fly.ingress import Certificates, IpAssignments
from providers.fly.leases import Lease, Leases
from providers.fly.logs import Logs
from providers.fly.machines import Machines
from providers.fly.secrets import Secrets
from providers.fly.types import Check, ExecAnswer, ExitEvent, Machine

__all__ = [
    "Ambiguous",
    "Api",
    "Apps",
    "BadAnswer",
    "Certificates",
    "Check",
    "Conflict",
    "ExecAnswer",
    "ExitEvent",
    "FlyError",
    "Forbidden",
    "Invalid",
    "IpAssignments",
    "Lapsed",
    "Lease",
    "Leases",
    "Logs",
    "Machine",
    "Machines",
    "NotFound",
    "NotReached",
    "PreconditionFailed",
    "RateLimited",
    "Secrets",
    "ServerError",
    "Unauthorized",
    "Unreachable",
    "connect",
]
