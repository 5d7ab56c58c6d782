"""Metadata: key by key or whole, without a new version and whatever lease is held."""

from collections.abc import Mapping

from simulator.errors import ApiError, not_found
from simulator.model import Machine
from simulator.world import World


def read_key(machine: Machine, key: str) -> str:
    """One value, or 404."""
    if key not in machine.metadata:
        raise not_found(f"metadata key '{key[:64]}'")
    return machine.metadata[key]


def write_key(world: World, machine: Machine, key: str, value: str) -> None:
    """Set one value."""
    machine.metadata[key] = value
    world.publish(machine, "metadata")


def delete_key(world: World, machine: Machine, key: str) -> None:
    """Remove one value, if it is there."""
    machine.metadata.pop(key, None)
    world.publish(machine, "metadata")


def replace_all(
    world: World, machine: Machine, values: Mapping[str, str], machine_version: str | None
) -> None:
    """Make these the only values; 412 when `machine_version` is not the machine's."""
    _check_version(machine, machine_version)
    machine.metadata.clear()
    machine.metadata.update(values)
    world.publish(machine, "metadata")


def merge(
    world: World, machine: Machine, values: Mapping[str, str | None], machine_version: str | None
) -> None:
    """Set these values, and remove those that are null; 412 when `machine_version` is not the machine's."""
    _check_version(machine, machine_version)
    for key, value in values.items():
        if value is None:
            machine.metadata.pop(key, None)
        else:
            machine.metadata[key] = value
    world.publish(machine, "metadata")


def _check_version(machine: Machine, machine_version: str | None) -> None:
    if machine_version and machine_version != machine.instance_id:
        raise ApiError(412, f"machine_version mismatch: machine {machine.id} is at {machine.instance_id}")
