"""Pulumi's inputs as a spec: unknown values, numbers that arrive as floats, and errors that name the key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.output import Unknown
from pulumi.runtime.rpc import UNKNOWN
from pydantic import SecretStr, ValidationError

from providers.bluegreen.spec import Spec

EXAMPLES: dict[str, Any] = {
    "app": "my-game",
    "org": "personal",
    "image": "registry.fly.io/my-game:v1",
    "regions": {"ams": 2, "iad": 2},
    "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 512},
    "env": {"LOG_LEVEL": "info"},
    "secret_env": {"AWS_SECRET_ACCESS_KEY": "…"},
    "services": [{"internal_port": 8080, "checks": [{"type": "http", "path": "/health"}]}],
    "checks": {"alive": {"type": "tcp", "port": 8080}},
    "stop_config": {"signal": "SIGTERM", "timeout": "120s"},
    "deadlines": {"drain_old": "6m"},
    "state_store": {"bucket": "my-state", "prefix": "prod/"},
    "adopt": True,
    "cutover": "handoff",
    "tunnel": "fly-proxy",
    "release_command": {"argv": ["bin/migrate"], "deadline": "5m"},
    "min_healthy": "10s",
    "tests": [{"type": "http", "name": "answers", "path": "/version", "expect": {"status": 200}}],
    "rehearsal": {"port": 8081, "path": "/rehearsal"},
    "approval": "manual",
    "approved_release": "2-3fa9c1d20e-7c41",
    "drain": {"type": "request", "port": 8081, "path": "/drain"},
    "state_proof": {"type": "manifest"},
    "bake": "5m",
    "keep_warm": "1h",
    "keep_failed_green": True,
    "public_url": "https://play.example.com",
    "routing_probe": {"path": "/version", "machine_key": "machine_id"},
    "notify": {"url": "https://hooks.example.com/deploys", "secret": "… (at least 16 characters)"},
    "api_url": "https://api.machines.dev",
}


@dataclass(frozen=True)
class Fault:
    """One wrong key: where it is, and what is wrong with an example that works."""

    key: str
    reason: str


def spec_keys(props: Mapping[str, Any], schema: type[Spec] = Spec) -> dict[str, Any]:
    """The part of the properties that is the spec, with whole numbers as ints and absent values left out."""
    return {key: _plain(props[key]) for key in schema.model_fields if props.get(key) is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def unknown_keys(props: Mapping[str, Any]) -> list[str]:
    """The top-level keys that hold, at any depth, a value which is known only after other resources were made."""
    return [key for key in Spec.model_fields if _is_unknown(props.get(key))]


def _is_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_is_unknown(item) for item in value)
    return isinstance(value, Unknown) or value == UNKNOWN


def parse(props: Mapping[str, Any]) -> Spec:
    """The spec of checked inputs. Raises pydantic's ``ValidationError``."""
    return Spec.model_validate(spec_keys(props))


_WHERE_TO_LOOK = frozenset({"app", "api_url", "state_store"})
_STANDS_FOR_UNKNOWN = "known-later"


def parse_known(props: Mapping[str, Any]) -> Spec | None:
    """The spec with a stand-in for each value that is known only later; ``None`` where nothing can be planned so.

    To plan with, never to deploy: a machine of it would run an image that does not exist.
    """
    unknown = set(unknown_keys(props))
    if not unknown:
        return parse(props)
    if unknown & _WHERE_TO_LOOK:
        return None
    try:
        return parse({key: _with_stand_ins(value) for key, value in props.items()})
    except ValidationError:
        return None


def _with_stand_ins(value: Any) -> Any:
    if isinstance(value, Unknown) or value == UNKNOWN:
        return _STANDS_FOR_UNKNOWN
    if isinstance(value, Mapping):
        return {key: _with_stand_ins(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_stand_ins(item) for item in value]
    return value


def faults(
    props: Mapping[str, Any], schema: type[Spec] = Spec, examples: Mapping[str, Any] = EXAMPLES
) -> list[Fault]:
    """What is wrong with the inputs that are known. Empty: nothing. ``examples`` has one of each key of ``schema``."""
    unknown = set(unknown_keys(props))
    try:
        schema.model_validate({key: v for key, v in spec_keys(props, schema).items() if key not in unknown})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        found = (_fault(detail, examples, whole_is_known=not unknown) for detail in details)
        return [fault for fault in found if fault and fault.key.partition(".")[0] not in unknown]
    return []


def _fault(detail: Any, examples: Mapping[str, Any], *, whole_is_known: bool) -> Fault | None:
    """A fault of the whole spec names its key itself; while keys are unknown, the whole cannot be judged."""
    message = detail["msg"].removeprefix("Value error, ")
    key = ".".join(str(part) for part in _as_written(detail["loc"]) if part != "[key]")
    if not key:
        if not whole_is_known:
            return None
        key, _, message = message.partition(": ")
    top = key.partition(".")[0]
    example = f"; an example that works: {json.dumps({top: examples[top]})}" if top in examples else ""
    return Fault(key, f"{key}: {message}{example}")


_TAG_AT = {"drain": 1, "state_proof": 1, "tests": 2}
"""Where pydantic puts the ``type`` of a part that can be of several: users do not write it there."""


def _as_written(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    at = _TAG_AT.get(str(loc[0]), len(loc)) if loc else 0
    return loc[:at] + loc[at + 1 :]


def changed_secrets(old: Spec | None, new: Spec) -> dict[str, SecretStr | None]:
    """Blue's values of the secrets that differ; ``None`` where blue had none of that name."""
    before = old.secret_env if old else {}
    names = before.keys() | new.secret_env.keys()
    return {name: before.get(name) for name in sorted(names) if before.get(name) != new.secret_env.get(name)}
