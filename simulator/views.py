"""Machines, events and versions as the API's JSON shows them."""

from typing import Any

from simulator.clock import format_time
from simulator.leases import find_lease, show_lease
from simulator.model import Check, Event, Machine, Version
from simulator.world import World

EVENTS_SHOWN = 20


def show_machine(world: World, machine: Machine, *, with_nonce: bool = False) -> dict[str, Any]:
    """A machine in full, its newest events included; `with_nonce` in the answer that also granted a lease."""
    lease = find_lease(world, machine)
    nonce = {"nonce": lease.nonce} if with_nonce and lease else {}
    return {
        **summarize_machine(machine),
        **show_config(machine),
        "events": [show_event(event) for event in reversed(machine.events[-EVENTS_SHOWN:])],
        "checks": [show_check(check) for check in machine.checks],
        **nonce,
    }


def show_config(machine: Machine) -> dict[str, Any]:
    """The config; where the host does not answer, what is known of it elsewhere, under another name."""
    if machine.host_status == "ok":
        return {"config": machine.config}
    return {"incomplete_config": {key: machine.config[key] for key in ("image", "metadata")}}


def summarize_machine(machine: Machine) -> dict[str, Any]:
    """A machine without config, events and checks."""
    image = machine.image
    return {
        "id": machine.id,
        "name": machine.name,
        "state": machine.state,
        "region": machine.region,
        "instance_id": machine.instance_id,
        "version": machine.instance_id,
        "private_ip": machine.address,
        "cordoned": machine.cordoned or not machine.registered,
        "host_status": machine.host_status,
        "image_ref": {
            "registry": image.registry,
            "repository": image.repository,
            "tag": image.tag,
            "digest": image.digest,
            "labels": None,
        },
        "created_at": format_time(machine.created_at),
        "updated_at": format_time(machine.updated_at),
    }


def show_with_lease(world: World, machine: Machine) -> dict[str, Any]:
    """A machine with its lease, if any, as a list with `include_leases` shows it."""
    lease = find_lease(world, machine)
    held = {} if lease is None else {"lease": show_lease(machine, lease, with_nonce=False)}
    return show_machine(world, machine) | held


def show_event(event: Event) -> dict[str, Any]:
    """An event; Fly nests `exit_event` in `request`, its documentation speaks of it directly: both are there."""
    shown: dict[str, Any] = {
        "id": event.id,
        "type": event.type,
        "status": event.status,
        "request": {"reason": ""} if event.type == "stop" else {},
        "source": event.source,
        "timestamp": int(event.timestamp * 1000),
    }
    if event.exit_event is not None:
        shown |= {"exit_event": event.exit_event, "request": {"exit_event": event.exit_event}}
    return shown


def show_check(check: Check) -> dict[str, Any]:
    """A health check's report."""
    return {
        "name": check.name,
        "status": check.status,
        "output": check.output,
        "updated_at": format_time(check.updated_at),
    }


def show_version(version: Version) -> dict[str, Any]:
    """A version and the config that it had."""
    return {
        "version": version.instance_id,
        "user_config": version.config,
        "created_at": format_time(version.created_at),
    }
