"""What a user wants, as one typed schema. Names are those of Fly's own machine config."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from providers.bluegreen.durations import Duration, seconds
from providers.bluegreen.model import Phase
from providers.bluegreen.spec_gates import (
    Drain,
    ManifestProof,
    Rehearsal,
    ReleaseCommand,
    StateProof,
    StopDrain,
    Test,
)
from providers.bluegreen.spec_rules import gate_faults
from providers.bluegreen.spec_types import (
    AppName,
    Bucket,
    ImageReference,
    Part,
    Port,
    Prefix,
    RegionCode,
    SecretUrl,
    Url,
    UrlPath,
)

LONGEST_STOP_S = 300
"""Fly kills a machine after at most this long, whatever ``stop_config.timeout`` asks for."""


class Guest(Part):
    """The machine's size. Default: Fly's smallest, ``shared-cpu-1x`` with 256 MB."""

    cpu_kind: Literal["shared", "performance"] = "shared"
    """Fly's kind of CPU."""
    cpus: int = Field(default=1, ge=1)
    """Number of CPUs."""
    memory_mb: int = Field(default=256, ge=256)
    """In MiB."""


class Check(Part):
    """A health check. ``path`` belongs to ``http`` checks, and they need one."""

    type: Literal["http", "tcp"]
    """What is asked."""
    port: Port | None = None
    """Default: the service's `internal_port`; a check of its own needs one."""
    interval: Duration = "5s"
    """From one ask to the next."""
    timeout: Duration = "2s"
    """How long one ask may take."""
    grace_period: Duration = "5s"
    """How long a machine that has just started may fail."""
    method: str | None = None
    """HTTP method. Default: Fly's, GET."""
    path: str | None = None
    """What an `http` check asks for; 2xx passes."""

    @model_validator(mode="after")
    def _http_needs_a_path(self) -> Check:
        if self.type == "http" and not self.path:
            raise ValueError('an http check needs a path, e.g. {"type": "http", "path": "/health"}')
        return self


class ServicePort(Part):
    """One public port and what Fly's edge does on it, e.g. ``tls``, ``http``."""

    port: Port
    """The public port."""
    handlers: tuple[str, ...] = ()
    """What Fly's edge does on it, e.g. `tls`, `http`."""
    force_https: bool = False
    """Redirect HTTP to HTTPS."""


class Concurrency(Part):
    """The load, in connections or requests, at which the proxy prefers (soft) and refuses (hard) other machines."""

    type: Literal["connections", "requests"] = "connections"
    """What is counted."""
    soft_limit: int = Field(default=20, ge=1)
    """From here on the proxy prefers other machines."""
    hard_limit: int = Field(default=25, ge=1)
    """From here on it sends no more."""


class Service(Part):
    """One port of the app that Fly's proxy routes to. Its ``checks`` gate routing, and the verify phase."""

    internal_port: Port
    """The port that the app listens on."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """What Fly's proxy speaks to users."""
    ports: tuple[ServicePort, ...] = (
        ServicePort(port=80, handlers=("http",)),
        ServicePort(port=443, handlers=("tls", "http")),
    )
    """The public ports."""
    concurrency: Concurrency | None = None
    """The load that one machine takes. Default: Fly's."""
    checks: tuple[Check, ...] = ()
    """They gate routing on Fly, and the verify phase here."""


class StopConfig(Part):
    """How a machine is stopped: the signal, and after how long Fly kills it (at most 300 s)."""

    signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGHUP"] = "SIGTERM"
    """What tells the app to save and exit."""
    timeout: Duration = "60s"
    """When Fly kills it; `300s` at most."""

    @model_validator(mode="after")
    def _fly_kills_at_300_s(self) -> StopConfig:
        if seconds(self.timeout) > LONGEST_STOP_S:
            raise ValueError(
                f'Fly kills a machine after {LONGEST_STOP_S} s at most; "300s" is the longest timeout'
            )
        return self


class Deadlines(Part):
    """How long each phase may take. A phase over its deadline fails: before the commit point blue serves again.

    ``approval`` is how long a verified green waits for it, from run to run, before it is discarded.
    """

    create_new: Duration = "5m"
    """Machines created and started; `release_command` too."""
    verify: Duration = "5m"
    """Checks, tests and rehearsal."""
    drain_old: Duration = "6m"
    """Quiesce, save, proof and stop. Longer than `stop_config.timeout`, or a slow save aborts."""
    switch_routes: Duration = "2m"
    """From the commit point to an answer from outside."""
    retire_old: Duration = "5m"
    """Old machines destroyed."""
    approval: Duration = "24h"
    """How long a verified cluster waits for its approval, from run to run, before it is discarded."""


class StateStore(Part):
    """The S3 bucket the app saves its state to, and the key prefix (empty, or ending with ``/``) it saves it under.

    ``endpoint_url`` and ``region`` default to boto3's own (``AWS_ENDPOINT_URL_S3``, ``AWS_REGION``); credentials are
    always boto3's own.
    """

    bucket: Bucket
    """The bucket's name."""
    prefix: Prefix = ""
    """Before every key: empty, or it ends with `/`."""
    endpoint_url: Url | None = None
    """Default: `AWS_ENDPOINT_URL_S3`, then AWS."""
    region: str | None = None
    """Default: `AWS_REGION`."""

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def split_location(location: str) -> tuple[str, str]:
    """``"s3://bucket/prefix/"`` → bucket and prefix."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bucket, prefix


class RoutingProbe(Part):
    """What the deployer asks from outside, on fresh connections, to prove who answers.

    ``machine_key`` names the field of a JSON answer that holds the answering machine's id (``FLY_MACHINE_ID``).
    Without it any 2xx counts: under ``handoff`` blue has stopped by then, so nobody else can answer.
    """

    path: UrlPath = "/"
    """What is asked for; 2xx counts."""
    machine_key: str | None = None
    """The field of a JSON answer that holds `FLY_MACHINE_ID`."""


class Notify(Part):
    """A webhook that is told each phase and the end. ``secret`` signs each message."""

    url: SecretUrl
    """Where the messages are posted to. A secret: it may hold a token."""
    secret: SecretStr = Field(min_length=16)
    """What signs each message, at least 16 characters."""


class Spec(Part):
    """Everything a deployment needs to know.

    ``regions`` maps a region code to its number of machines. ``env`` is visible in Fly's API and in Pulumi's plan;
    ``secret_env`` becomes the app's Fly secrets and is visible nowhere. ``public_url`` is where users reach the app
    (default ``https://<app>.fly.dev``); ``adopt`` takes over what `fly deploy` made. ``api_url`` is the Machines
    API's (default ``FLY_FLAPS_BASE_URL``, then Fly's own).
    """

    app: AppName
    """The Fly app's name; created where it does not exist. Another name is a replacement: the old app is
    drained, saved and destroyed first.
    """
    org: str = "personal"
    """The Fly organization's slug. It cannot change: `fly apps move` moves an app."""
    image: ImageReference
    """The image to run; left out where there is a `build`. One pinned by its digest
    (`…@sha256:…`) is the same at every restart."""
    regions: Annotated[dict[RegionCode, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    """Region code → number of machines, each at least 1."""
    guest: Guest = Guest()
    """The machine's size."""
    env: dict[str, str] = {}
    """Environment of the app. Visible in Fly's API and in Pulumi's plan."""
    secret_env: dict[str, SecretStr] = {}
    """Environment that becomes the app's Fly secrets. Visible nowhere, encrypted in Pulumi's state."""
    services: tuple[Service, ...] = ()
    """Ports that Fly's proxy routes to. At least one health check is needed, here or in `checks`."""
    checks: dict[str, Check] = {}
    """Health checks by name that are no service's. They gate verify, not routing."""
    stop_config: StopConfig = StopConfig()
    """How a machine is stopped."""
    deadlines: Deadlines = Deadlines()
    """How long each phase may take."""
    state_store: StateStore | None = None
    """The bucket that the app saves its state to. Without it, that a machine exited with 0 is all that is
    proven.
    """
    adopt: bool = False
    """Take over the machines of an app that was deployed by `fly deploy`: the first `up` drains and replaces them.
    Without it they are left alone, and go on serving beside the new ones.
    """
    cutover: Literal["handoff", "overlap"] = "handoff"
    """`handoff`: the old cluster is drained and proven saved before the new one is routed. `overlap`: Fly's
    own order, for stateless apps; needs `routing_probe.machine_key`.
    """
    tunnel: Literal["direct", "fly-proxy"] = "fly-proxy"
    """How the deployer reaches one machine's private ports: `fly-proxy` starts `fly proxy`, `direct` uses the
    private addresses (inside the private network).
    """
    release_command: ReleaseCommand | None = None
    """A command in a short-lived machine of the new image, before any other machine of it exists."""
    min_healthy: Duration = "0s"
    """How long the new cluster has to stay healthy before it counts as verified."""
    tests: tuple[Test, ...] = ()
    """Tests of the new cluster before anything changes for users."""
    rehearsal: Rehearsal | None = None
    """The new cluster opens a copy of the last saved state before the old one is drained."""
    approval: Literal["none", "manual"] = "none"
    """`manual`: `up` ends with the new cluster verified and unrouted, until `approved_release` names its
    release. A first deploy asks nobody.
    """
    approved_release: str | None = None
    """The release that may be switched to, as the output `pending_release` names it."""
    drain: Drain = StopDrain()
    """How this release's machines drain. Changing it is a rollout."""
    state_proof: StateProof = ManifestProof()
    """What proves that state is saved. Changing its type is a rollout."""
    bake: Duration = "0s"
    """How long the new cluster is watched after the switch; if it fails, the old one takes the state back."""
    keep_warm: Duration = "0s"
    """How long the old cluster is kept, stopped, so that going back to its image is fast."""
    keep_failed_green: bool = False
    """Keep a new cluster that failed its verification, unrouted, for inspection."""
    public_url: Url | None = None
    """Where users reach the app. Default: `https://<app>.fly.dev`."""
    routing_probe: RoutingProbe = RoutingProbe()
    """What the deployer asks from outside to prove who answers."""
    notify: Notify | None = None
    """A webhook that is told each phase and the end, signed."""
    api_url: Url | None = None
    """The Machines API. Default: `FLY_FLAPS_BASE_URL`, then Fly's own."""

    @model_validator(mode="after")
    def _can_be_verified(self) -> Spec:
        if not self.service_check_count and not self.checks:
            raise ValueError(
                "services: no health check: without one nothing can be verified before it is routed; add e.g. "
                '{"services": [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}]}'
            )
        if self.cutover == "overlap" and not self.routing_probe.machine_key:
            raise ValueError(
                "routing_probe: overlap needs its machine_key: blue still runs while green is routed, so an answer "
                'proves nothing unless it names its machine, e.g. {"path": "/version", "machine_key": "machine_id"}'
            )
        return self

    @model_validator(mode="after")
    def _gates_can_be_run(self) -> Spec:
        for fault in gate_faults(self):
            raise ValueError(fault)
        return self

    @property
    def proves_state(self) -> bool:
        """Whether anything but blue's exit code can tell that its state is saved."""
        return self.state_store is not None or self.state_proof.type in ("http", "command")

    @property
    def url(self) -> str:
        """Where users reach the app, without a slash at the end."""
        return (self.public_url or f"https://{self.app}.fly.dev").rstrip("/")

    @property
    def service_check_count(self) -> int:
        """How many service checks Fly will report for each machine (it names them ``servicecheck-NN-…``)."""
        return sum(len(service.checks) for service in self.services)

    @property
    def machine_count(self) -> int:
        return sum(self.regions.values())

    @cached_property
    def digest(self) -> str:
        """Ten hex digits that change exactly when every machine must: counts and regions, deadlines, cutover and
        addresses are not in it. Made once: with secrets it takes scrypt's 50 ms, and it is asked for at every look.
        """
        return self._digest({})

    def old_digest(self, regions: dict[str, int]) -> str:
        """The digest of this spec with these regions before these were left out of it."""
        return self._digest({"regions": regions})

    def _digest(self, more: dict[str, Any]) -> str:
        wanted = self.model_dump(mode="json", include=_IN_DIGEST) | more
        wanted["secret_env"] = self._secrets_fingerprint()
        wanted["state_store"] = self.state_store.location if self.state_store else None
        wanted |= self._handover()
        return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:10]

    def _handover(self) -> dict[str, Any]:
        """How this release's machines drain and prove: recorded on them, for the deploy that comes after."""
        parts = {"drain": self.drain.model_dump(mode="json")} if self.drain.type != "stop" else {}
        if self.state_proof.type != "manifest":
            parts["state_proof"] = self.state_proof.model_dump(mode="json", include={"type", "key"})
        return parts

    def _secrets_fingerprint(self) -> str:
        """Changes with any secret and gives none away: scrypt makes guessing through a ten-digit digest hopeless."""
        if not self.secret_env:
            return ""
        plain = json.dumps({k: v.get_secret_value() for k, v in self.secret_env.items()}, sort_keys=True)
        return hashlib.scrypt(plain.encode(), salt=self.app.encode(), n=2**14, r=8, p=1, dklen=32).hex()

    def deadline_s(self, phase: Phase) -> float:
        """The deadline of a phase in seconds. A restore may wait for a stop, then for a start and its checks."""
        parts = _MADE_OF.get(phase)
        if parts:
            return sum(map(self.deadline_s, parts))
        if phase is Phase.BAKE:
            return seconds(self.bake) + BAKE_SLACK_S
        return seconds(getattr(self.deadlines, phase.replace("-", "_")))


BAKE_SLACK_S = 60.0
"""For the looks of a bake that are under way when its time is over."""
_MADE_OF = {
    Phase.RESTORE_OLD: (Phase.DRAIN_OLD, Phase.VERIFY),
    Phase.ROLL_BACK: (Phase.VERIFY, Phase.DRAIN_OLD, Phase.SWITCH_ROUTES),
}
_IN_DIGEST = {"app", "image", "guest", "env", "services", "checks", "stop_config"}


def machine_config(spec: Spec, *, env: dict[str, str], metadata: dict[str, str]) -> dict[str, Any]:
    """The ``config`` of one machine, as the API wants it."""
    config = spec.model_dump(mode="json", include={"image", "guest", "checks"}, exclude_none=True)
    return {
        **config,
        "services": [_service_config(service) for service in spec.services],
        "env": {**spec.env, **env},
        "metadata": metadata,
        "stop_config": spec.stop_config.model_dump(),
        "restart": {"policy": "on-failure", "max_retries": 3},
    }


def _service_config(service: Service) -> dict[str, Any]:
    """Fly's proxy neither starts nor stops these machines: a drained one would come back beside its successor."""
    return {**service.model_dump(mode="json", exclude_none=True), "autostart": False, "autostop": "off"}
