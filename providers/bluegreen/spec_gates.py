"""What must hold before a deployment goes on, as configuration: tests, drain, proof of saved state.

Values of ``env`` and ``headers`` may be secrets, so they are treated as such: no log, error or plan shows them.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, SecretStr, model_validator

from providers.bluegreen.durations import Duration
from providers.bluegreen.spec_types import Part, Port, Url, UrlPath, matching

Scope = Literal["once", "per-region", "per-machine"]
Argv = Annotated[tuple[str, ...], Field(min_length=1, repr=False)]
"""Left out of what a program prints of itself: people put secrets there, although env is the place for them."""
TestName = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,39}", "a test's name: small letters, digits, dashes")
]
Signal = Literal["SIGUSR1", "SIGHUP", "SIGALRM", "SIGINT", "SIGQUIT", "SIGTERM"]
"""Of those that Fly's API delivers; SIGUSR2 is not among them."""


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f'"{value}" is not a regular expression: {error}') from None
    return value


class Expect(Part):
    """What an answer must be. ``json`` must be contained in the body: every key it names has that value.

    ``matches`` is a regular expression that the body must contain. Header names are compared without case.
    """

    status: int = Field(default=200, ge=100, le=599)
    """The status code."""
    headers: dict[str, str] = {}
    """Headers and their values; names are compared without case."""
    json_: JsonValue = Field(default=None, alias="json")
    """Must be contained in the body: every key it names has that value."""
    matches: Annotated[str, AfterValidator(_pattern)] | None = None
    """A regular expression that the body must contain."""


class _Test(Part):
    name: TestName
    """Small letters, digits, dashes; unique."""
    deadline: Duration = "30s"
    """When it counts as failed."""
    scope: Scope = "per-machine"
    """Run once, once in each region, or for each machine."""


class HttpTest(_Test):
    """A request to green through the tunnel. ``port`` defaults to the first service's ``internal_port``."""

    type: Literal["http"]
    method: str = "GET"
    """HTTP method."""
    path: UrlPath
    """What is asked for."""
    port: Port | None = None
    """Default: the first service's `internal_port`."""
    headers: dict[str, SecretStr] = {}
    """Treated as secrets."""
    body: str | None = None
    """Sent as it is."""
    expect: Expect = Expect()
    """What passes."""


class CommandTest(_Test):
    """A command on the deployer's side, never a shell; exit code 0 passes. ``port`` is what its URLs lead to."""

    type: Literal["command"]
    scope: Scope = "once"
    """Run once, once in each region, or for each machine."""
    argv: Argv
    """Program and arguments; no shell reads them."""
    env: dict[str, SecretStr] = {}
    """Treated as secrets."""
    port: Port | None = None
    """What `BLUEGREEN_URLS` lead to. Default: the first service's `internal_port`."""


class ExecTest(_Test):
    """A command inside each machine, beside the app; exit code 0 passes. Fly ends one after 60 s."""

    type: Literal["exec"]
    argv: Argv
    """Program and arguments; no shell reads them."""


class MachineTest(_Test):
    """A short-lived machine in the app's private network; its exit code is the verdict. Default image: green's own."""

    type: Literal["machine"]
    scope: Scope = "once"
    """Run once, once in each region, or for each machine."""
    deadline: Duration = "2m"
    """When it counts as failed."""
    argv: Argv
    """Program and arguments; no shell reads them."""
    image: str | None = None
    """Default: the new release's own."""
    env: dict[str, SecretStr] = {}
    """Treated as secrets."""


Test = Annotated[HttpTest | CommandTest | ExecTest | MachineTest, Field(discriminator="type")]


class ReleaseCommand(Part):
    """A command in a short-lived machine of the new image, before create-new; as Fly's ``release_command``.

    A deploy that is run again before it had any machine of green runs it again.
    """

    argv: Argv
    """Program and arguments; no shell reads them."""
    deadline: Duration = "5m"
    """When it counts as failed."""


class Rehearsal(Part):
    """Green is asked to open a copy of the last saved state before blue is drained (docs/handover.md)."""

    port: Port = 8081
    """A private port: no service may name it."""
    path: UrlPath = "/rehearsal"
    """What is asked for."""
    deadline: Duration = "1m"
    """When it counts as failed."""


class StopDrain(Part):
    """Fly's own: the stop signal, and after ``stop_config.timeout`` the kill. What was not saved by then is lost."""

    type: Literal["stop"] = "stop"


class RequestDrain(Part):
    """A request makes the app quiesce, save, and stay alive: a failed proof costs nothing then (docs/handover.md)."""

    type: Literal["request"]
    port: Port = 8081
    """A private port: no service may name it."""
    path: UrlPath = "/drain"
    """What is asked for."""


class SignalDrain(Part):
    """As ``request``, for an app without an HTTP surface: ``resume_signal`` takes ``signal`` back."""

    type: Literal["signal"]
    signal: Signal = "SIGUSR1"
    """Drains."""
    resume_signal: Signal = "SIGHUP"
    """Takes it back."""

    @model_validator(mode="after")
    def _differ(self) -> SignalDrain:
        if self.signal == self.resume_signal:
            raise ValueError(
                f"signal and resume_signal are both {self.signal}: one drains, the other takes it back"
            )
        return self


Drain = Annotated[StopDrain | RequestDrain | SignalDrain, Field(discriminator="type")]


class ManifestProof(Part):
    """Every machine writes a manifest of what it saved, and each object in it is looked for (docs/handover.md)."""

    type: Literal["manifest"] = "manifest"


class MarkerProof(Part):
    """An object that is newer than the drain's start, by S3's own clock. ``key`` is relative to the store's prefix.

    ``{machine_id}`` and ``{release}`` in it are replaced, so that each machine can have its own.
    """

    type: Literal["marker"]
    key: str = Field(min_length=1)
    """Below the store's prefix; `{machine_id}` and `{release}` are replaced."""


class HttpProof(Part):
    """An answer of a service of yours, asked by the deployer once the old machines have drained."""

    type: Literal["http"]
    url: Url
    """What is asked."""
    headers: dict[str, SecretStr] = {}
    """Treated as secrets."""
    expect: Expect = Expect()
    """What proves it."""


class CommandProof(Part):
    """A command on the deployer's side that exits with 0 when everything is saved: Redis, SQL, anything."""

    type: Literal["command"]
    argv: Argv
    """Program and arguments; no shell reads them."""
    env: dict[str, SecretStr] = {}
    """Treated as secrets."""


StateProof = Annotated[ManifestProof | MarkerProof | HttpProof | CommandProof, Field(discriminator="type")]
