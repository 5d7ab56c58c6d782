"""Which app is meant: by a stack's file, or by its name alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from components.schema import EXAMPLES, StackConfig
from providers import inputs
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_types import AppName

ENCRYPTED = "[encrypted]"
_SECURE = "secure"
_NOT_READ = ("notify",)
"""Keys that no command here uses."""


class BadTarget(Exception):
    """The stack's file cannot be read, or is not a stack's; the message names file, key, and what would work."""


@dataclass(frozen=True)
class Target:
    """An app. ``spec``: with ``partial``, only where it is, and nothing of what it should be.

    ``encrypted``: keys that hold secrets of Pulumi's: they are not decrypted, so their values are not known.
    ``built``: the image is what `up` will build; the spec has the name of its repository in its place. ``ingress``: the
    component makes addresses and certificates.
    """

    spec: Spec
    partial: bool = False
    encrypted: frozenset[str] = frozenset()
    built: bool = False
    ingress: bool = False


def by_name(app: str) -> Target:
    """An app by its name. What else is known of it comes from its machines."""
    try:
        known: dict[str, Any] = {"app": TypeAdapter(AppName).validate_python(app)}
    except ValidationError as error:
        raise BadTarget(f"--app: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    # What has no default is missing: only a stack's file says what an app should be.
    return Target(Spec.model_construct(None, **known), partial=True)


def by_stack(project: Path, stack: str) -> Target:
    """A stack of the project in this directory. Raises ``BadTarget``."""
    about = _read(project / "Pulumi.yaml", "run this in the project's directory, or name it with --project")
    file = project / str(about.get("stackConfigDir") or ".") / f"Pulumi.{stack}.yaml"
    config = _read(file, f"is there a stack {stack}? `pulumi stack ls` lists them").get("config") or {}
    prefix = f"{about.get('name')}:"
    values = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    encrypted = frozenset(key for key, value in values.items() if _is_encrypted(value))
    known = {key: _plain(value) for key, value in values.items() if key not in _NOT_READ}
    config = _config(known, file)
    spec = Spec.model_validate({key: getattr(config, key) for key in Spec.model_fields})
    ingress = values.get("ingress") not in (None, "")
    return Target(spec, encrypted=encrypted, built=config.build is not None, ingress=ingress)


def _read(path: Path, hint: str) -> Mapping[str, Any]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTarget(f"{path}: {error.strerror}: {hint}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadTarget(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(read, Mapping):
        raise BadTarget(f"{path}: not a mapping of keys: {hint}")
    return read


def _is_encrypted(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.keys() == {_SECURE} or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _plain(value: Any) -> Any:
    """With a mark in place of each secret: names are known, values are not. A mapping that is one whole is left out."""
    if isinstance(value, Mapping):
        return None if value.keys() == {_SECURE} else {key: _inner(item) for key, item in value.items()}
    return [_inner(item) for item in value] if isinstance(value, list) else value


def _inner(value: Any) -> Any:
    return ENCRYPTED if isinstance(value, Mapping) and value.keys() == {_SECURE} else _plain(value)


def _config(values: Mapping[str, Any], file: Path) -> StackConfig:
    # An empty value is what Pulumi.yaml's defaults are: as good as none.
    given = {key: value for key, value in values.items() if value not in ("", {}, [])}
    try:
        return StackConfig.model_validate(inputs.spec_keys(given, StackConfig))
    except ValidationError:
        reasons = "\n".join(f"  - {fault.reason}" for fault in inputs.faults(given, StackConfig, EXAMPLES))
        raise BadTarget(f"{file}:\n{reasons}") from None
