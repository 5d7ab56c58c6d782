"""What the simulated platform knows: apps, machines, their versions, events, checks and leases."""

from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from simulator.catalog import Image
from simulator.config import MachineConfig
from simulator.runtime import Program

State = Literal[
    "created", "starting", "started", "stopping", "stopped", "suspending", "suspended",
    "restarting", "replacing", "replaced", "destroying", "destroyed", "failed",
]  # fmt: skip

HostStatus = Literal["ok", "unknown", "unreachable"]

# Why a running program was told to end, and so what follows its end.
Intent = Literal["run", "stop", "restart", "replace", "destroy"]


@dataclass(frozen=True)
class Event:
    """One line of a machine's life; `timestamp` in epoch seconds."""

    id: str
    type: str
    status: State
    source: str
    timestamp: float
    instance_id: str
    exit_event: dict[str, Any] | None = None


@dataclass
class Check:
    """A health check's present report; `gates` when the proxy heeds it."""

    name: str
    gates: bool
    status: str
    output: str
    updated_at: float


@dataclass(frozen=True)
class Lease:
    """Exclusive right to change a machine until `expires_at` (epoch seconds)."""

    nonce: str
    owner: str
    description: str
    expires_at: float


@dataclass(frozen=True)
class Version:
    """One configuration that a machine has had."""

    instance_id: str
    config: dict[str, Any]
    created_at: float


@dataclass
class Run:
    """From a start to its end, restarts included. `program` is None between two boots."""

    intent: Intent = "run"
    retries: int = 0
    program: Program | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    nudged: anyio.Event = field(default_factory=anyio.Event)
    program_ended: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class Machine:
    """A machine. `config` is as the client sent it, `spec` its checked reading; `events` oldest first."""

    id: str
    app: str
    name: str
    region: str
    address: str
    image: Image
    spec: MachineConfig
    config: dict[str, Any]
    instance_id: str
    created_at: float
    updated_at: float
    registered: bool
    skip_secrets: bool
    state: State = "created"
    cordoned: bool = False
    host_status: HostStatus = "ok"
    launch_after_replace: bool = True
    events: list[Event] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    lease: Lease | None = None
    run: Run | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata inside the config: changing it makes no new version."""
        held: dict[str, str] = self.config["metadata"]
        return held

    @property
    def healthy(self) -> bool:
        """Whether nothing that the proxy heeds fails; true without such checks."""
        return all(check.status == "passing" for check in self.checks if check.gates)


@dataclass(frozen=True)
class Secret:
    """An app's secret; the value goes to its machines and nowhere else."""

    name: str
    value: str = field(repr=False)
    digest: str
    created_at: float
    updated_at: float


@dataclass
class App:
    """An app, its machines (destroyed ones included), its secrets, its public addresses (by kind) and certificates."""

    name: str
    org: str
    network: str
    id: str
    created_at: float
    machines: dict[str, Machine] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    secrets_version: int = 0
    ips: dict[str, str] = field(default_factory=dict)
    certificates: list[str] = field(default_factory=list)
