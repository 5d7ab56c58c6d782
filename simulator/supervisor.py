"""Runs a machine's program from a start to its end: boots it, restarts it by its policy, and says how it ended.

What follows the end of a program is decided by why it ended:

    intent     what was asked          next
    run        nothing                 by restart policy: boot again after a pause, or stopped
    stop       stop                    stopped, whatever the policy
    restart    restart                 boot again, same version
    replace    update of the config    boot the new version (or stopped, with skip_launch)
    destroy    delete with force       destroyed

A machine with `auto_destroy` that would be stopped or failed is destroyed.
"""

from collections.abc import Callable
from typing import Any

import anyio

from simulator.checks import end_checks, start_checks
from simulator.clock import format_time
from simulator.config import Restart
from simulator.environment import describe_boot
from simulator.model import Machine, Run, State
from simulator.runtime import BootFailed, Exit, Program
from simulator.world import World

DEFAULT_RETRIES = 10
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
ENDED_AS: dict[str, State] = {
    "stop": "stopped",
    "restart": "restarting",
    "replace": "replaced",
    "destroy": "destroying",
}


def start_run(world: World, machine: Machine) -> None:
    """Begin to run a machine that does not run."""
    assert machine.run is None
    machine.run = Run()
    world.tasks.start_soon(_supervise, world, machine, machine.run)


async def _supervise(world: World, machine: Machine, run: Run) -> None:
    final: State | None = None
    while final is None:
        final = await _boot_once(world, machine, run)
    _finish(world, machine, run, final)


async def _boot_once(world: World, machine: Machine, run: Run) -> State | None:
    """One boot, up to what follows it: a final state, or None to boot again."""
    if run.intent != "run" and (settled := _follow_nudge(machine, run)) is not None:
        return settled
    instance_id = machine.instance_id
    world.move(machine, "starting", "start", "user" if run.retries == 0 else "flyd")
    try:
        ended = await _run_program(world, machine, run)
    except BootFailed as error:
        _record_exit(world, machine, run, Exit(127), "failed", instance_id, str(error))
        return "failed"
    return await _follow(world, machine, run, ended, instance_id)


async def _run_program(world: World, machine: Machine, run: Run) -> Exit:
    program = world.runtime.prepare(describe_boot(world.apps[machine.app], machine))
    run.program, run.program_ended = program, anyio.Event()
    machine.checks = []

    try:
        async with anyio.create_task_group() as tasks:

            def note_started() -> None:
                if run.intent == "run":
                    start_checks(world, machine, program, tasks)
                    world.move(machine, "started", "start")

            ended = await _catch_failure(program, note_started)
            tasks.cancel_scope.cancel()
    finally:
        run.program = None
        run.program_ended.set()
        end_checks(machine, world.clock.now())
    if isinstance(ended, BootFailed):
        raise ended
    return ended


async def _catch_failure(program: Program, note_started: Callable[[], None]) -> Exit | BootFailed:
    # As a value, for a task group would wrap the exception.
    try:
        return await program.run(note_started)
    except BootFailed as error:
        return error


async def _follow(world: World, machine: Machine, run: Run, ended: Exit, instance_id: str) -> State | None:
    intent = run.intent
    if intent == "run":
        return await _follow_policy(world, machine, run, ended, instance_id)
    _record_exit(world, machine, run, ended, ENDED_AS[intent], instance_id)
    if intent in ("restart", "replace"):
        run.intent, run.retries = "run", 0
        return None if intent == "restart" or machine.launch_after_replace else "stopped"
    return "destroyed" if intent == "destroy" else "stopped"


async def _follow_policy(
    world: World, machine: Machine, run: Run, ended: Exit, instance_id: str
) -> State | None:
    if not wants_restart(machine.spec.restart, ended.code, run.retries):
        _record_exit(world, machine, run, ended, "stopped", instance_id)
        return "stopped"
    _record_exit(world, machine, run, ended, "restarting", instance_id)
    machine.state = "restarting"
    world.publish(machine, "exit")
    with anyio.move_on_after(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(run.retries, 16))):
        await run.nudged.wait()
    run.retries += 1
    return _follow_nudge(machine, run)


def _follow_nudge(machine: Machine, run: Run) -> State | None:
    """After a pause between two boots, in which somebody may have asked for something."""
    intent, run.intent, run.nudged = run.intent, "run", anyio.Event()
    if intent == "destroy":
        return "destroyed"
    if intent == "stop" or (intent == "replace" and not machine.launch_after_replace):
        return "stopped"
    return None


def wants_restart(restart: Restart | None, exit_code: int, retries: int) -> bool:
    """Whether a program that ended by itself is booted again; Fly's default policy is on-failure, ten times."""
    policy = (restart and restart.policy) or "on-failure"
    limit = DEFAULT_RETRIES if restart is None or restart.max_retries is None else restart.max_retries
    return policy == "always" or (policy == "on-failure" and exit_code != 0 and retries < limit)


def _record_exit(
    world: World, machine: Machine, run: Run, ended: Exit, status: State, instance_id: str, error: str = ""
) -> None:
    details: dict[str, Any] = {
        "exit_code": ended.code,
        "signal": ended.signal,
        "guest_exit_code": ended.code,
        "guest_signal": ended.signal,
        "oom_killed": ended.oom_killed,
        "requested_stop": run.intent != "run",
        "restarting": status in ("restarting", "replaced"),
        "error": error,
        "exited_at": format_time(world.clock.now()),
    }
    world.record_event(machine, status, "exit", "flyd", instance_id, details)


def _finish(world: World, machine: Machine, run: Run, final: State) -> None:
    machine.run = None
    if final != "destroyed":
        machine.state = final
        world.publish(machine, "exit")
    if final == "destroyed" or machine.spec.auto_destroy:
        destroy(world, machine)
    run.ended.set()


def destroy(world: World, machine: Machine) -> None:
    """End a machine that does not run; it stays readable, and its name is free."""
    assert machine.run is None
    machine.lease = None
    world.move(machine, "destroyed", "destroy")
