"""Leases: whoever holds one is the only one to change the machine, by showing its nonce with every write."""

from typing import Any

from simulator.clock import format_time
from simulator.errors import ApiError, conflict, not_found
from simulator.model import Lease, Machine
from simulator.world import World

DEFAULT_TTL = 3600
OWNER = "local@simulator.internal"


def find_lease(world: World, machine: Machine) -> Lease | None:
    """The lease that holds now; an expired one is forgotten."""
    if machine.lease is not None and machine.lease.expires_at <= world.clock.now():
        machine.lease = None
    return machine.lease


def check_lease(world: World, machine: Machine, nonce: str | None) -> None:
    """409 unless this write may happen: under a lease with its nonce, without one with no nonce.

    Refusing a nonce whose lease is gone is the strict reading of "nonce wrong": its sender thinks it is alone.
    """
    lease = find_lease(world, machine)
    if lease is None and nonce:
        raise conflict(f"machine {machine.id}: lease nonce does not match: no lease is held")
    if lease is not None and nonce != lease.nonce:
        raise refuse(lease)


def refuse(lease: Lease) -> ApiError:
    """409 that names holder and expiry."""
    purpose = f" ({lease.description})" if lease.description else ""
    return conflict(
        f"lease currently held by {lease.owner}{purpose}, expires at {format_time(lease.expires_at)}"
    )


def grant_lease(world: World, machine: Machine, ttl: int, description: str) -> Lease:
    """A new lease for `ttl` seconds."""
    machine.lease = Lease(world.ids.nonce(), OWNER, description, world.clock.now() + ttl)
    return machine.lease


def take_lease(
    world: World, machine: Machine, nonce: str | None, ttl: int | None, description: str | None
) -> Lease:
    """A new lease, or with the holder's nonce the same one for longer. 409 when another holds it."""
    lease = find_lease(world, machine)
    seconds = DEFAULT_TTL if ttl is None else ttl
    if lease is None:
        check_lease(world, machine, nonce)
        return grant_lease(world, machine, seconds, description or "")
    if nonce != lease.nonce:
        raise refuse(lease)
    kept = lease.description if description is None else description
    machine.lease = Lease(lease.nonce, lease.owner, kept, world.clock.now() + seconds)
    return machine.lease


def release_lease(world: World, machine: Machine, nonce: str | None) -> None:
    """Give a lease back; 404 when none is held, 409 without its nonce."""
    lease = require_lease(world, machine)
    if nonce != lease.nonce:
        raise refuse(lease)
    machine.lease = None


def require_lease(world: World, machine: Machine) -> Lease:
    """The lease that holds now, or 404."""
    lease = find_lease(world, machine)
    if lease is None:
        raise not_found("lease")
    return lease


def show_lease(machine: Machine, lease: Lease, *, with_nonce: bool) -> dict[str, Any]:
    """A lease as the API shows it; only the call that took it sees the nonce."""
    secret = {"nonce": lease.nonce} if with_nonce else {}
    return secret | {
        "expires_at": int(lease.expires_at),
        "owner": lease.owner,
        "description": lease.description,
        "version": machine.instance_id,
    }
