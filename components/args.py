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


class BuildArgs(TypedDict):
    """How the image is built (``components.schema.Build``). ``image``: its name without a tag. Plain values only."""

    image: str
    context: NotRequired[str]
    dockerfile: NotRequired[str]
    platform: NotRequired[str]


class IngressArgs(TypedDict, total=False):
    """Public addresses, one of each kind [shared_v4, v6], and hostnames that get a certificate. Plain values only."""

    ips: Sequence[Literal["shared_v4", "v4", "v6"]]
    certificates: Sequence[str]


@dataclass(frozen=True)
class BlueGreenFlyAppArgs:
    """A stateful app on Fly. Durations are Go strings (``"90s"``, ``"1m30s"``); each default is in brackets.

    Wrong values fail before any call, with the key and an example that works.

    Args:
        app: Fly's name of it; created where it does not exist. Another name is a replacement.
        regions: region code → number of machines, e.g. ``{"ams": 2, "iad": 2}``; each at least 1.
        image: what to run, e.g. ``"registry.fly.io/my-game:v2"``. Either this or ``build``.
        build: build and push the image with Docker when its source changes, and deploy its digest.
        ingress: public addresses and certificates, made before the machines [the app keeps those that it has].
        org: the organization's slug [``"personal"``]. It cannot change.
        adopt: take over the machines of an app that was deployed by ``fly deploy``, first as blue [false: they are
            left alone, and go on serving beside the new ones].
        guest: the machine's size [shared, 1 CPU, 256 MiB].
        env: environment; visible in Fly's API and in Pulumi's plan.
        secret_env: becomes Fly secrets; encrypted in Pulumi's state, visible nowhere.
        services: ports that Fly routes to. At least one check is needed, here or in ``checks``.
        checks: health checks by name that are no service's.
        stop_config: signal and seconds until Fly kills [SIGTERM, ``"60s"``; ``"300s"`` at most].
        deadlines: how long each phase may take [create_new, verify, retire_old ``"5m"``; drain_old ``"6m"``;
            switch_routes ``"2m"``; approval ``"24h"``].
        state_store: the bucket that the app saves to. Without it only blue's exit code is proven, and the plan says so.
        cutover: ``"handoff"`` [default]: the old cluster is proven saved before the new one is routed. ``"overlap"``:
            Fly's own order, for stateless apps; needs ``routing_probe.machine_key``.
        public_url: where users reach it [``https://<app>.fly.dev``].
        routing_probe: what is asked from outside to prove who answers [path ``"/"``].
        tunnel: ``"fly-proxy"`` [default] starts ``fly proxy``; ``"direct"`` is for inside the private network.
        release_command: runs in a short-lived machine of the new image, before any other.
        min_healthy: how long the new cluster has to stay healthy [``"0s"``].
        tests: tests of the new cluster before anything changes for users.
        rehearsal: the new cluster opens a copy of the last saved state first.
        approval: ``"none"`` [default], or ``"manual"``: ``up`` ends with the new cluster verified and unrouted.
        approved_release: the release that may go on, as ``pending_release`` names it.
        drain: how this release's machines drain [``{"type": "stop"}``].
        state_proof: what proves that state is saved [``{"type": "manifest"}``].
        bake: how long the new cluster is watched after the switch; if it fails, the state goes back [``"0s"``: not].
        keep_warm: how long the old cluster is kept, stopped [``"0s"``: not].
        keep_failed_green: keep a cluster that failed its verification, unrouted [false].
        notify: a webhook that is told each phase and the end, signed [nobody].
        api_url: the Machines API [``FLY_FLAPS_BASE_URL``, then Fly's own].
    """

    app: Input[str]
    regions: Input[Mapping[str, Input[int]]]
    image: Input[str] | None = None
    build: BuildArgs | None = None
    ingress: IngressArgs | None = None
    org: Input[str] | None = None
    guest: Input[GuestArgs] | None = None
    env: Input[Mapping[str, Input[str]]] | None = None
    secret_env: Input[Mapping[str, Input[str]]] | None = None
    services: Input[Sequence[Input[ServiceArgs]]] | None = None
    checks: Input[Mapping[str, Input[CheckArgs]]] | None = None
    stop_config: Input[StopConfigArgs] | None = None
    deadlines: Input[DeadlinesArgs] | None = None
    state_store: Input[StateStoreArgs] | None = None
    cutover: Input[Literal["handoff", "overlap"]] | None = None
    public_url: Input[str] | None = None
    routing_probe: Input[RoutingProbeArgs] | None = None
    tunnel: Input[Literal["direct", "fly-proxy"]] | None = None
    release_command: Input[ReleaseCommandArgs] | None = None
    min_healthy: Input[str] | None = None
    tests: Input[Sequence[Input[TestArgs]]] | None = None
    rehearsal: Input[RehearsalArgs] | None = None
    approval: Input[Literal["none", "manual"]] | None = None
    approved_release: Input[str] | None = None
    drain: Input[DrainArgs] | None = None
    state_proof: Input[StateProofArgs] | None = None
    bake: Input[str] | None = None
    keep_warm: Input[str] | None = None
    keep_failed_green: Input[bool] | None = None
    notify: Input[NotifyArgs] | None = None
    adopt: Input[bool] | None = None
    api_url: Input[str] | None = None

    def props(self) -> dict[str, Input[Any]]:
        """The arguments that were given and are the deployment's, by name."""
        names = [field.name for field in fields(self) if field.name not in ("build", "ingress")]
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}
