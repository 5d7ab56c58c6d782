"""Bodies of requests. A field that Fly may know and this does not is ignored."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import from_json

from simulator.config import EnvName, MachineConfig, Metadata, Model, Signal, Text
from simulator.durations import Duration
from simulator.errors import bad_request

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?\z")]
AppName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
Seconds = Annotated[int, Field(ge=0, le=86400)]


class CreateApp(Model):
    """POST /apps."""

    name: AppName
    org_slug: str | None = None
    network: str | None = None


class AssignIp(Model):
    """POST …/ip_assignments."""

    type: Text


class RequestCertificate(Model):
    """POST …/certificates/acme."""

    hostname: Text


class CreateMachine(Model):
    """POST …/machines; `lease_ttl` in seconds."""

    config: MachineConfig
    name: Name | None = None
    region: str | None = None
    skip_launch: bool | None = None
    skip_service_registration: bool | None = None
    skip_secrets: bool | None = None
    min_secrets_version: int | None = None
    lease_ttl: Seconds | None = None


class UpdateMachine(Model):
    """POST …/machines/{id}: the full config."""

    config: MachineConfig
    current_version: str | None = None
    skip_launch: bool | None = None
    skip_service_registration: bool | None = None
    skip_secrets: bool | None = None
    lease_ttl: Seconds | None = None


class StopMachine(Model):
    """POST …/stop."""

    signal: Signal | None = None
    timeout: Duration | None = None


class RestartMachine(Model):
    """POST …/restart."""

    timeout: Duration | None = None
    force_stop: bool | None = None


class SignalMachine(Model):
    """POST …/signal."""

    signal: Signal


class TakeLease(Model):
    """POST …/lease; `ttl` in seconds."""

    ttl: Annotated[int, Field(ge=1, le=86400)] | None = None
    description: Annotated[str, Field(max_length=1024)] | None = None


class PatchMetadata(Model):
    """PATCH …/metadata: null removes a key."""

    metadata: dict[Annotated[str, Field(min_length=1, max_length=1024)], str | None]
    machine_version: str | None = None


class PutMetadata(Model):
    """PUT …/metadata."""

    metadata: Metadata
    machine_version: str | None = None


class MetadataValue(Model):
    """POST …/metadata/{key}."""

    value: str


class Exec(Model):
    """POST …/exec; `timeout` in seconds."""

    command: Annotated[list[Text], Field(min_length=1)] | None = None
    cmd: Text | None = None
    timeout: Annotated[int, Field(ge=0, le=300)] | None = None


class SetSecrets(Model):
    """POST …/secrets: null removes one."""

    values: dict[EnvName, Text | None]


M = TypeVar("M", bound=Model)


def parse_body(kind: type[M], raw: bytes) -> tuple[M, dict[str, Any]]:
    """The checked body and the object as it came; 400 with the place and the reason when it is wrong."""
    try:
        plain = from_json(raw or b"{}", allow_inf_nan=False)
        json.dumps(plain, allow_nan=False)  # 1e999 parses to infinity, which no answer could carry
    except ValueError:
        raise bad_request("the body is not valid JSON") from None
    if not isinstance(plain, dict):
        raise bad_request("the body must be a JSON object")
    try:
        return kind.model_validate(plain), plain
    except ValidationError as error:
        raise bad_request(explain(error)) from None


def explain(error: ValidationError) -> str:
    """The first complaint, without the value: it may be a secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"invalid {place[:200] or 'body'}: {first['msg']}"
