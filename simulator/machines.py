"""Machines: create, list, update, and how the API shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simulator.bodies import CreateMachine, UpdateMachine
from simulator.catalog import Image
from simulator.config import MachineConfig
from simulator.errors import conflict, failed_precondition, unprocessable
from simulator.leases import grant_lease
from simulator.lifecycle import choose_policy, end_program
from simulator.model import App, Machine, Version
from simulator.supervisor import start_run
from simulator.world import World

Raw = dict[str, Any]
PASSING_STATES = frozenset({"stopping", "restarting", "replacing", "destroying", "suspending"})


def create_machine(world: World, app_name: str, body: CreateMachine, raw: Raw) -> Machine:
    """A new machine, on its way to `started` unless `skip_launch`. 409 when another has its name, 422 for
    an unknown region or image.
    """
    app = world.find_app(app_name)
    image = _find_image(world, body.config)
    region = _check_region(world, body.region)
    machine_id = _unused_id(world, app)
    name = body.name or f"machine-{machine_id}"
    _check_name(app, name)
    now = world.clock.now()
    machine = Machine(
        id=machine_id,
        app=app.name,
        name=name,
        region=region,
        address=world.ids.address(),
        image=image,
        spec=body.config,
        config=_own_config(raw),
        instance_id=world.ids.ulid(now),
        created_at=now,
        updated_at=now,
        registered=not body.skip_service_registration,
        skip_secrets=bool(body.skip_secrets),
    )
    machine.versions.append(Version(machine.instance_id, _own_config(raw), now))
    app.machines[machine.id] = machine
    if body.lease_ttl:
        grant_lease(world, machine, body.lease_ttl, "taken at create")
    world.move(machine, "created", "launch", "user")
    if not body.skip_launch:
        start_run(world, machine)
    return machine


def update_machine(world: World, machine: Machine, body: UpdateMachine, raw: Raw) -> None:
    """Give a machine a new version: its program ends by the old one's stop policy and the new one starts.

    Region and name never change. 409 when `current_version` is not the machine's, 412 while it is passing between
    states. A machine that does not run is started, unless `skip_launch`.
    """
    if body.current_version and body.current_version != machine.instance_id:
        raise conflict(f"current_version mismatch: machine {machine.id} is at {machine.instance_id}")
    if machine.state in PASSING_STATES:
        raise failed_precondition(f"machine {machine.id} cannot be updated: it is in state '{machine.state}'")
    image = _find_image(world, body.config)
    signal, timeout = choose_policy(machine.spec.stop_config, None, None)
    now = world.clock.now()
    machine.image, machine.spec, machine.config = image, body.config, _own_config(raw)
    machine.instance_id = world.ids.ulid(now)
    machine.versions.append(Version(machine.instance_id, _own_config(raw), now))
    machine.skip_secrets = bool(body.skip_secrets)
    machine.launch_after_replace = not body.skip_launch
    if body.lease_ttl and machine.lease is None:
        grant_lease(world, machine, body.lease_ttl, "taken at update")
    _replace_run(world, machine, signal, timeout)


def _replace_run(world: World, machine: Machine, signal: str, timeout: float) -> None:
    if machine.run is not None:
        end_program(world, machine, "replace", signal, timeout)
        return
    world.move(machine, "stopped", "update", "user")
    if machine.launch_after_replace:
        start_run(world, machine)


def _find_image(world: World, config: MachineConfig) -> Image:
    image = world.runtime.resolve(config.image)
    if image is None:
        raise unprocessable(f"failed to get manifest {config.image}: image not found")
    return image


def _check_region(world: World, region: str | None) -> str:
    if region is None:
        return world.regions[0]
    if region not in world.regions:
        raise unprocessable(f"invalid region '{region[:16]}': known regions are {', '.join(world.regions)}")
    return region


def _check_name(app: App, name: str) -> None:
    for other in app.machines.values():
        if other.name == name and other.state != "destroyed":
            raise conflict(
                f"already_exists: unique machine name violation, machine ID {other.id} already named {name}"
            )


def _unused_id(world: World, app: App) -> str:
    machine_id = world.ids.machine()
    assert machine_id not in app.machines
    return machine_id


def _own_config(raw: Raw) -> Raw:
    config: Raw = dict(raw["config"])
    config["metadata"] = dict(config.get("metadata") or {})
    return config


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; several values of `regions` or `states` mean any, all filters together mean all."""

    regions: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    metadata: Mapping[str, str] | None = None
    include_deleted: bool = False


def list_machines(world: World, app_name: str, filters: Filters) -> list[Machine]:
    """Machines of an app in the order of their creation."""
    machines: Iterable[Machine] = world.find_app(app_name).machines.values()
    return [machine for machine in machines if _matches(machine, filters)]


def _matches(machine: Machine, filters: Filters) -> bool:
    wanted = (filters.metadata or {}).items()
    return (
        (filters.include_deleted or machine.state != "destroyed" or "destroyed" in filters.states)
        and (not filters.regions or machine.region in filters.regions)
        and (not filters.states or machine.state in filters.states)
        and all(machine.metadata.get(key) == value for key, value in wanted)
    )


def set_cordon(world: World, machine: Machine, kind: Literal["cordon", "uncordon"]) -> None:
    """Cordon: no new connections, open ones stay. Uncordon also registers what skip_service_registration kept away."""
    machine.cordoned = kind == "cordon"
    machine.registered = machine.registered or kind == "uncordon"
    world.publish(machine, kind)
