"""Commands inside a machine."""

import shlex

from simulator.bodies import Exec
from simulator.errors import ApiError, bad_request
from simulator.leases import find_lease, refuse
from simulator.lifecycle import require_started, running_program
from simulator.model import Machine
from simulator.runtime import ExecResult
from simulator.world import World

DEFAULT_TIMEOUT = 30.0


async def run_command(world: World, machine: Machine, body: Exec) -> ExecResult:
    """Run an argv with the machine's environment; refused while a lease is held, even to its holder.

    `cmd` is the older form, one text in a shell's quoting; no shell reads it. 408 when it takes too long.
    """
    lease = find_lease(world, machine)
    if lease is not None:
        raise refuse(lease)
    require_started(machine)
    timeout = float(body.timeout or DEFAULT_TIMEOUT)
    try:
        return await running_program(machine).exec(_read_argv(body), timeout)
    except TimeoutError:
        raise ApiError(408, f"deadline_exceeded: the command took longer than {timeout:g}s") from None
    except OSError as error:
        raise bad_request(f"the command cannot be run: {error.strerror}") from None


def _read_argv(body: Exec) -> list[str]:
    try:
        argv = body.command or shlex.split(body.cmd or "")
    except ValueError as error:
        raise bad_request(f"invalid cmd: {error}") from None
    if not argv or not argv[0]:
        raise bad_request('invalid command: give an argv, like ["uname", "-a"]')
    return argv
