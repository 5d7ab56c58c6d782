"""A machine's config: the fields that the simulator acts on, checked; all others kept as they came.

Types are strict, as in Fly's Go: "512" is no integer. null means absent.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator.durations import Duration

Port = Annotated[int, Field(ge=1, le=65535)]
Text = Annotated[str, Field(max_length=65536, pattern=r"^[^\x00]*\z")]
EnvName = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00=]+\z")]
Metadata = dict[Annotated[str, Field(min_length=1, max_length=1024)], str]

SIGNALS = (
    "SIGABRT", "SIGALRM", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGKILL", "SIGPIPE",
    "SIGQUIT", "SIGSEGV", "SIGTERM", "SIGTRAP", "SIGUSR1", "SIGUSR2",
)  # fmt: skip
Signal = Literal[
    "SIGABRT", "SIGALRM", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGKILL", "SIGPIPE",
    "SIGQUIT", "SIGSEGV", "SIGTERM", "SIGTRAP", "SIGUSR1", "SIGUSR2",
]  # fmt: skip


class Model(BaseModel):
    """Strict about the fields it knows, indifferent to the others."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class HttpHeader(Model):
    """A header that an http check sends."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+\z")]
    values: list[Annotated[str, Field(pattern=r"^[\x20-\x7e]*\z")]] = []


class CheckConfig(Model):
    """One health check, of a service or of the machine."""

    type: Literal["http", "tcp"] | None = None
    kind: Literal["informational", "readiness"] | None = None
    port: Port | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    grace_period: Duration | None = None
    method: Annotated[str, Field(pattern=r"^[A-Za-z]{1,16}\z")] | None = None
    path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*\z", max_length=4096)] | None = None
    headers: list[HttpHeader] | None = None


class Concurrency(Model):
    """How much one machine takes of a service; checked, not acted on."""

    type: Literal["connections", "requests", ""] | None = None
    soft_limit: int | None = None
    hard_limit: int | None = None


class PublicPort(Model):
    """Where the outside reaches a service; checked, not acted on."""

    port: Port | None = None
    handlers: list[str] | None = None
    force_https: bool | None = None


class Service(Model):
    """What the proxy routes to."""

    protocol: Literal["tcp", "udp", ""] | None = None
    internal_port: Port
    ports: list[PublicPort] | None = None
    concurrency: Concurrency | None = None
    autostart: bool | None = None
    autostop: Literal["off", "stop", "suspend", ""] | bool | None = None
    min_machines_running: int | None = None
    checks: list[CheckConfig] | None = None


class Init(Model):
    """What to run in place of the image's command."""

    exec: list[Text] | None = None
    entrypoint: list[Text] | None = None
    cmd: list[Text] | None = None


class Guest(Model):
    """Size of the machine; only the memory shows, in the environment."""

    cpu_kind: str | None = None
    cpus: Annotated[int, Field(ge=1)] | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None


class Restart(Model):
    """What follows when the program ends by itself."""

    policy: Literal["no", "on-failure", "always", ""] | None = None
    max_retries: Annotated[int, Field(ge=0)] | None = None


class StopConfig(Model):
    """How the machine wants to be stopped."""

    signal: Signal | None = None
    timeout: Duration | None = None


class Dns(Model):
    """Checked, not acted on."""

    skip_registration: bool | None = None


class MachineConfig(Model):
    """`config` of a machine."""

    image: Annotated[str, Field(min_length=1, max_length=1024)]
    env: dict[EnvName, Text] | None = None
    init: Init | None = None
    guest: Guest | None = None
    metadata: Metadata | None = None
    mounts: list[dict[str, Any]] | None = None
    services: list[Service] | None = None
    checks: dict[str, CheckConfig] | None = None
    files: list[dict[str, Any]] | None = None
    restart: Restart | None = None
    auto_destroy: bool | None = None
    stop_config: StopConfig | None = None
    dns: Dns | None = None
    processes: list[dict[str, Any]] | None = None
    standbys: list[str] | None = None
