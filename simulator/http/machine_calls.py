"""Calls on machines that do not depend on how they run."""

from starlette.responses import Response

from simulator import deletion, leases, machines
from simulator.bodies import CreateMachine, TakeLease, UpdateMachine
from simulator.http.call import Call, answer, answer_ok
from simulator.views import show_event, show_machine, show_version, show_with_lease, summarize_machine

METADATA_FILTER = "metadata."


async def create_machine(call: Call) -> Response:
    """The machine, with a nonce if a lease was asked for."""
    body, raw = call.parse_with_raw(CreateMachine)
    machine = machines.create_machine(call.world, call.app, body, raw)
    return answer(show_machine(call.world, machine, with_nonce=bool(body.lease_ttl)))


async def list_machines(call: Call) -> Response:
    """All machines that match every filter."""
    query = call.request.query_params
    wanted = {
        key.removeprefix(METADATA_FILTER): query[key] for key in query if key.startswith(METADATA_FILTER)
    }
    filters = machines.Filters(
        regions=frozenset(call.words("region")),
        states=frozenset(call.words("state")),
        metadata=wanted,
        include_deleted=call.flag("include_deleted"),
    )
    found = machines.list_machines(call.world, call.app, filters)
    if call.flag("summary"):
        return answer([summarize_machine(machine) for machine in found])
    if call.flag("include_leases"):
        return answer([show_with_lease(call.world, machine) for machine in found])
    return answer([show_machine(call.world, machine) for machine in found])


async def get_machine(call: Call) -> Response:
    """The machine; also after it was destroyed."""
    return answer(show_machine(call.world, call.machine()))


async def update_machine(call: Call) -> Response:
    """The machine with its new version."""
    body, raw = call.parse_with_raw(UpdateMachine)
    machine = call.writable()
    machines.update_machine(call.world, machine, body, raw)
    return answer(show_machine(call.world, machine, with_nonce=bool(body.lease_ttl)))


async def delete_machine(call: Call) -> Response:
    """Answers when the machine is gone; flyctl says `kill` where the documentation says `force`."""
    force = call.flag("force") or call.flag("kill")
    await deletion.delete_machine(call.world, call.writable(), force)
    return answer_ok()


async def list_events(call: Call) -> Response:
    """All events, newest first."""
    return answer([show_event(event) for event in reversed(call.machine().events)])


async def list_versions(call: Call) -> Response:
    """All versions, newest first."""
    return answer([show_version(version) for version in reversed(call.machine().versions)])


async def cordon(call: Call) -> Response:
    """No new connections from now on."""
    machines.set_cordon(call.world, call.writable(), "cordon")
    return answer_ok()


async def uncordon(call: Call) -> Response:
    """Route to it (again)."""
    machines.set_cordon(call.world, call.writable(), "uncordon")
    return answer_ok()


async def take_lease(call: Call) -> Response:
    """201 with a new lease, or 200 with the holder's own for longer."""
    body = call.parse(TakeLease)
    machine = call.living()
    held = leases.find_lease(call.world, machine)
    lease = leases.take_lease(call.world, machine, call.nonce, body.ttl, body.description)
    data = leases.show_lease(machine, lease, with_nonce=True)
    return answer({"status": "success", "data": data}, 200 if held else 201)


async def get_lease(call: Call) -> Response:
    """Who holds the machine, or 404."""
    machine = call.living()
    lease = leases.require_lease(call.world, machine)
    return answer({"status": "success", "data": leases.show_lease(machine, lease, with_nonce=False)})


async def release_lease(call: Call) -> Response:
    """Give it back."""
    leases.release_lease(call.world, call.living(), call.nonce)
    return answer_ok()
