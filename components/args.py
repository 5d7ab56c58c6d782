"""The component's arguments. Names are those of Fly's machine config; durations are Go strings such as ``"90s"``.

Defaults live in ``providers.bluegreen.spec`` alone: what is left out here is decided there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NotRequired, TypedDict

from pulumi import Input


class GuestArgs(TypedDict, total=False):
    """The machine's size. ``memory_mb`` in MiB."""

    cpu_kind: Literal["shared", "performance"]
    cpus: int
    memory_mb: int


class CheckArgs(TypedDict):
    """A health check; ``http`` needs a ``path``."""

    type: Literal["http", "tcp"]
    port: NotRequired[int]
    interval: NotRequired[str]
    timeout: NotRequired[str]
    grace_period: NotRequired[str]
    method: NotRequired[str]
    path: NotRequired[str]


class ServicePortArgs(TypedDict):
    """One public port and what Fly's edge does on it, e.g. ``["tls", "http"]``."""

    port: int
    handlers: NotRequired[Sequence[str]]
    force_https: NotRequired[bool]


class ConcurrencyArgs(TypedDict, total=False):
    """The load at which the proxy prefers (soft) and refuses (hard) other machines."""

    type: Literal["connections", "requests"]
    soft_limit: int
    hard_limit: int


class ServiceArgs(TypedDict):
    """One port that Fly's proxy routes to. ``ports`` defaults to 80 (http) and 443 (tls, http)."""

    internal_port: int
    protocol: NotRequired[Literal["tcp", "udp"]]
    ports: NotRequired[Sequence[ServicePortArgs]]
    concurrency: NotRequired[ConcurrencyArgs]
    checks: NotRequired[Sequence[CheckArgs]]


class StopConfigArgs(TypedDict, total=False):
    """Default ``SIGTERM`` and ``60s``; Fly kills after 300 s at most."""

    signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGHUP"]
    timeout: str


class DeadlinesArgs(TypedDict, total=False):
    """How long each phase may take."""

    create_new: str
    verify: str
    drain_old: str
    switch_routes: str
    retire_old: str
    approval: str


class StateStoreArgs(TypedDict):
    """The bucket that the app saves to; ``prefix`` is empty or ends with a slash."""

    bucket: str
    prefix: NotRequired[str]
    endpoint_url: NotRequired[str]
    region: NotRequired[str]


class RoutingProbeArgs(TypedDict, total=False):
    """What is asked from outside; ``machine_key`` is the JSON field that names the answering machine."""

    path: str
    machine_key: str


class ReleaseCommandArgs(TypedDict):
    """Fly's release command, in a short-lived machine of the new image. ``deadline`` defaults to 5 minutes."""

    argv: Sequence[str]
    deadline: NotRequired[str]


class ExpectArgs(TypedDict, total=False):
    """What an answer must be; ``status`` defaults to 200, ``json`` must be contained in the body."""

    status: int
    headers: Mapping[str, str]
    json: Any
    matches: str


class TestArgs(TypedDict):
    """A test of green. ``type``: ``http`` (``method``, ``path``, ``port``, ``headers``, ``body``, ``expect``),
    ``command`` (``argv``, ``env``, ``port``), ``exec`` (``argv``), ``machine`` (``argv``, ``env``, ``image``).

    ``scope``: ``once``, ``per-region``, ``per-machine``; ``deadline`` defaults to 30 s, for ``machine`` to 2 minutes.
    """

    type: Literal["http", "command", "exec", "machine"]
    name: str
    scope: NotRequired[Literal["once", "per-region", "per-machine"]]
    deadline: NotRequired[str]
    method: NotRequired[str]
    path: NotRequired[str]
    port: NotRequired[int]
    headers: NotRequired[Mapping[str, Input[str]]]
    body: NotRequired[str]
    expect: NotRequired[ExpectArgs]
    argv: NotRequired[Sequence[str]]
    env: NotRequired[Mapping[str, Input[str]]]
    image: NotRequired[str]


class RehearsalArgs(TypedDict, total=False):
    """Green opens a copy of the last saved state. Default: port 8081, ``/rehearsal``, 1 minute."""

    port: int
    path: str
    deadline: str


class DrainArgs(TypedDict):
    """How the old machines drain: ``stop`` (default), ``request`` (``port`` 8081, ``path`` ``/drain``), or ``signal``
    (``signal`` SIGUSR1, ``resume_signal`` SIGHUP).
    """

    type: Literal["stop", "request", "signal"]
    port: NotRequired[int]
    path: NotRequired[str]
    signal: NotRequired[str]
    resume_signal: NotRequired[str]


class StateProofArgs(TypedDict):
    """What proves that state is saved: ``manifest`` (default), ``marker`` (``key``), ``http`` (``url``, ``headers``,
    ``expect``), or ``command`` (``argv``, ``env``).
    """

    type: Literal["manifest", "marker", "http", "command"]
    key: NotRequired[str]
    url: NotRequired[str]
    headers: NotRequired[Mapping[str, Input[str]]]
    expect: NotRequired[ExpectArgs]
    argv: NotRequired[Sequence[str]]
    env: NotRequired[Mapping[str, Input[str]]]


class NotifyArgs(TypedDict):
    """A webhook that gets a signed JSON message at each phase and at the end. Both are secrets."""

    url: Input[str]
    secret: Input[str]


@dataclass(frozen=True)
class BlueGreenFlyAppArgs:
    """A stateful app on Fly.

    ``regions`` maps region codes to machine counts, e.g. ``{"ams": 2, "iad": 2}``. At least one check is required, in a
    service or in ``checks``. ``secret_env`` becomes Fly secrets and is encrypted in Pulumi's state. ``cutover`` is
    ``"handoff"`` (blue is drained and its state proven saved before green gets traffic) or ``"overlap"`` (Fly's own
    order, for stateless apps). Without ``state_store`` a deploy still works, and proves only that blue exited with 0.
    ``tunnel`` is ``"fly-proxy"`` (default) or ``"direct"`` (inside the private network). ``min_healthy``, ``bake`` and
    ``keep_warm`` default to ``"0s"``: none. ``approval`` is ``"none"`` or ``"manual"``: then ``up`` ends with green
    verified and unrouted, and goes on once ``approved_release`` names it.
    """

    app: Input[str]
    image: Input[str]
    regions: Input[Mapping[str, Input[int]]]
    org: Input[str] | None = None
    guest: Input[GuestArgs] | None = None
    env: Input[Mapping[str, Input[str]]] | None = None
    secret_env: Input[Mapping[str, Input[str]]] | None = None
    services: Input[Sequence[Input[ServiceArgs]]] | None = None
    checks: Input[Mapping[str, Input[CheckArgs]]] | None = None
    stop_config: Input[StopConfigArgs] | None = None
    deadlines: Input[DeadlinesArgs] | None = None
    state_store: Input[StateStoreArgs] | None = None
    cutover: Input[str] | None = None
    public_url: Input[str] | None = None
    routing_probe: Input[RoutingProbeArgs] | None = None
    tunnel: Input[str] | None = None
    release_command: Input[ReleaseCommandArgs] | None = None
    min_healthy: Input[str] | None = None
    tests: Input[Sequence[Input[TestArgs]]] | None = None
    rehearsal: Input[RehearsalArgs] | None = None
    approval: Input[str] | None = None
    approved_release: Input[str] | None = None
    drain: Input[DrainArgs] | None = None
    state_proof: Input[StateProofArgs] | None = None
    bake: Input[str] | None = None
    keep_warm: Input[str] | None = None
    keep_failed_green: Input[bool] | None = None
    notify: Input[NotifyArgs] | None = None
    api_url: Input[str] | None = None

    def props(self) -> dict[str, Input[Any]]:
        """The arguments that were given, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None}
