"""Start, stop, suspend, restart, signal: what may be asked of a machine in which state."""

import anyio

from simulator.config import StopConfig
from simulator.errors import failed_precondition
from simulator.model import Intent, Machine, State
from simulator.runtime import Program
from simulator.supervisor import start_run
from simulator.world import World

DEFAULT_SIGNAL = "SIGINT"
DEFAULT_TIMEOUT = 5.0
LONGEST_TIMEOUT = 300.0
# The state that says what a running machine was asked for.
ASKED: dict[Intent, State] = {
    "stop": "stopping",
    "restart": "restarting",
    "replace": "replacing",
    "destroy": "destroying",
}


def start(world: World, machine: Machine) -> State:
    """Start a machine; answers the state that it was in. 412 while it passes from one state to another."""
    before = machine.state
    if before == "suspended":
        _resume(world, machine)
    elif machine.run is None and before in ("created", "stopped", "failed"):
        start_run(world, machine)
    elif before != "started":
        raise failed_precondition(f"machine {machine.id} cannot be started: it is in state '{before}'")
    return before


def _resume(world: World, machine: Machine) -> None:
    program = running_program(machine)
    world.move(machine, "started", "start", "user")
    program.resume()


def suspend(world: World, machine: Machine) -> None:
    """Freeze a started machine."""
    if machine.state == "suspended":
        return
    require_started(machine)
    running_program(machine).suspend()
    world.move(machine, "suspending", "suspend", "user")
    world.move(machine, "suspended", "suspend")


def stop(world: World, machine: Machine, signal: str | None, timeout: float | None) -> None:
    """Ask a machine to end and kill it after `timeout` seconds; harmless for one that does not run.

    Without `signal` and `timeout` (or with 0, as flyctl always sends it) the machine's own stop_config decides.
    """
    if machine.run is None:
        return
    end_program(world, machine, "stop", signal, timeout)


def restart(world: World, machine: Machine, timeout: float | None, force: bool) -> None:
    """End a started machine's program by its stop policy, or at once with `force`, and boot it again."""
    require_started(machine)
    end_program(world, machine, "restart", "SIGKILL" if force else None, timeout)


def send_signal(machine: Machine, signal: str) -> None:
    """Deliver a signal and nothing else: nothing kills the program later."""
    require_started(machine)
    running_program(machine).signal(signal)


def require_started(machine: Machine) -> None:
    """412 unless the machine is started."""
    if machine.state != "started":
        raise failed_precondition(f"machine {machine.id} is in state '{machine.state}', not started")


def running_program(machine: Machine) -> Program:
    """The program of a machine that runs; 412 between two boots."""
    if machine.run is None or machine.run.program is None:
        raise failed_precondition(f"machine {machine.id} is not running")
    return machine.run.program


def end_program(
    world: World, machine: Machine, intent: Intent, signal: str | None = None, timeout: float | None = None
) -> None:
    """Tell a running machine to end, for a reason; what follows is the supervisor's business."""
    run = machine.run
    assert run is not None
    suspended = machine.state == "suspended"
    signal, seconds = choose_policy(machine.spec.stop_config, signal, timeout)
    run.intent = intent
    run.nudged.set()
    world.move(machine, ASKED[intent], "update" if intent == "replace" else intent, "user")
    if run.program is None:
        return
    # A suspended program cannot hear; Fly discards its snapshot.
    run.program.signal("SIGKILL" if suspended else signal)
    world.tasks.start_soon(_kill_later, run.program, run.program_ended, seconds)


def choose_policy(config: StopConfig | None, signal: str | None, timeout: float | None) -> tuple[str, float]:
    """Signal and seconds until the kill: the call's, else the machine's, else Fly's. At most 300 s."""
    seconds = timeout or (config and config.timeout) or DEFAULT_TIMEOUT
    return signal or (config and config.signal) or DEFAULT_SIGNAL, min(seconds, LONGEST_TIMEOUT)


async def _kill_later(program: Program, ended: anyio.Event, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await ended.wait()
    if not ended.is_set():
        program.signal("SIGKILL")
