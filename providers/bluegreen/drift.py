"""Where a machine's config is not what the configuration asks for: what somebody has changed by hand. Pure.

Only what nobody but a person changes is compared, in the form in which we have sent it: Fly completes a config with
defaults of its own, and writes durations in its own way, and neither may ever count as a change (nor may what a later
version of this code tells its machines: ``BLUEGREEN_…``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.bluegreen.spec import Spec
from providers.fly.types import Machine
from providers.gates.output import clean

OURS = "BLUEGREEN_"
NAME_CAP = 120


def differences(machine: Machine, spec: Spec) -> tuple[str, ...]:
    """One line for each, without any value of the environment. Empty: none, or its host does not answer."""
    return tuple(_differences(machine, spec)) if machine.config else ()


def _differences(machine: Machine, spec: Spec) -> Iterator[str]:
    if machine.image != spec.image:
        yield f"its image is {machine.image or 'none'}"
    has, wanted = users_env(machine.env), users_env(spec.env)
    names = sorted(name for name in has.keys() | wanted.keys() if has.get(name) != wanted.get(name))
    if names:
        yield f"its env differs in {', '.join(clean(name)[:NAME_CAP] for name in names)}"
    config = machine.config or {}
    guest = spec.guest.model_dump()
    size = _mapping(config.get("guest"))
    if any(size.get(key) != value for key, value in guest.items()):
        yield f"its size is {' '.join(str(size.get(key)) for key in guest)}"
    ports = _ports(config.get("services"))
    if ports != sorted((service.protocol, service.internal_port) for service in spec.services):
        yield f"its services are {', '.join(f'{protocol} {port}' for protocol, port in ports) or 'none'}"


def users_names(machine: Machine) -> tuple[str, ...]:
    """Names in its environment, less what we tell it ourselves, fit to be shown."""
    return tuple(sorted(clean(name)[:NAME_CAP] for name in users_env(machine.env)))


def users_env(env: Mapping[str, str]) -> dict[str, str]:
    """The environment less what we tell our machines ourselves."""
    return {name: value for name, value in env.items() if not name.startswith(OURS)}


def _ports(services: object) -> list[tuple[str, Any]]:
    parts = [_mapping(service) for service in services] if isinstance(services, list) else []
    return sorted((str(part.get("protocol") or "tcp"), part.get("internal_port", 0)) for part in parts)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
