"""`…/wait`: a true long poll on a machine's state."""

from collections.abc import Collection
from dataclasses import dataclass

import anyio

from simulator.errors import ApiError, bad_request, not_found
from simulator.model import Machine

WAITABLE = ("started", "stopped", "suspended", "destroyed", "failed", "settled")
SETTLED = frozenset({"started", "stopped", "suspended", "failed", "destroyed", "replaced"})
LONGEST = 60.0


@dataclass(frozen=True)
class Wait:
    """What is waited for: one of `states`, of one version if given; since an event if given, else from now on."""

    states: tuple[str, ...]
    timeout: float = LONGEST
    version: str | None = None
    from_event_id: str | None = None


async def wait_for(machine: Machine, wait: Wait) -> None:
    """Return once the machine is, or has in the meantime been, in a wanted state; 408 at the deadline."""
    _check(machine, wait)
    since = _find_start(machine, wait.from_event_id)
    wanted = SETTLED.union(wait.states) if "settled" in wait.states else frozenset(wait.states)
    with anyio.move_on_after(wait.timeout):
        while not _reached(machine, wanted, wait, since):
            await machine.changed.wait()
        return
    raise ApiError(
        408,
        f"deadline_exceeded: machine {machine.id} is in state '{machine.state}', "
        f"not {' or '.join(wait.states)}, after {wait.timeout:g}s",
    )


def _check(machine: Machine, wait: Wait) -> None:
    unknown = [state for state in wait.states if state not in WAITABLE]
    if unknown:
        raise bad_request(f"invalid state '{unknown[0][:32]}': one of {', '.join(WAITABLE)}")
    if not 1 <= wait.timeout <= LONGEST:
        raise bad_request("timeout must be between 1 and 60 seconds")
    if wait.version and all(version.instance_id != wait.version for version in machine.versions):
        raise not_found(f"version '{wait.version[:32]}' of machine {machine.id}")


def _find_start(machine: Machine, event_id: str | None) -> int:
    """Index of the first event that counts. A state may come and go between two looks, so events count too."""
    if event_id is None:
        return len(machine.events)
    for index, event in enumerate(machine.events):
        if event.id == event_id:
            return index + 1
    raise bad_request(f"unknown event '{event_id[:32]}'")


def _reached(machine: Machine, wanted: Collection[str], wait: Wait, since: int) -> bool:
    seen = [(event.status, event.instance_id) for event in machine.events[since:]]
    if wait.from_event_id is None:
        seen.append((machine.state, machine.instance_id))
        if "settled" in wait.states and machine.state == "created" and machine.run is None:
            return True
    return any(state in wanted and wait.version in (None, "", instance) for state, instance in seen)
