"""Short-lived machines that run one command in the app's private network: tests, and the release command.

Nobody is routed to one, and it is removed whatever happens. It does not remove itself: only its exit event tells how
its command ended, and that has to be read first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import ExitSeen
from providers.bluegreen.observe import see_task
from providers.bluegreen.polling import polling
from providers.fly import Ambiguous, Conflict, FlyError, Logs, Machine, NotFound

EXIT_LOOKS = 8
"""How often an exit event is looked for, about three seconds in all: it may come a moment after the state."""
NAME_LOOKS = 4
LOGS_WITHIN_S = 5.0
"""Output reaches Fly's log search about two seconds after it was printed (flyctl waits as long)."""
CLEANUP_WITHIN_S = 30.0


@dataclass(frozen=True)
class TaskEnd:
    """How a task's command ended, and what it printed last, where that could be had."""

    exit: ExitSeen
    lines: tuple[str, ...]
    machine_id: str


async def run_task(
    ctx: Context,
    *,
    name: str,
    region: str,
    image: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    metadata: Mapping[str, str],
) -> TaskEnd:
    """Run ``argv`` in a machine of its own, to its end. The caller holds the deadline and judges the exit.

    ``name`` is unique to this task, so that a create whose answer is lost makes no second machine. Raises
    ``GateFailed`` where nothing tells how the command ended.
    """
    config: dict[str, Any] = {
        "image": image,
        "guest": ctx.spec.guest.model_dump(mode="json"),
        "init": {"cmd": [*argv]},  # as flyctl: the image's ENTRYPOINT still runs
        "env": {**env},
        "metadata": {**metadata},
        "restart": {"policy": "no"},
        "auto_destroy": False,
        "dns": {"skip_registration": True},
    }
    machine: Machine | None = None
    try:
        machine = await _created(ctx, name, region, config)
        ended = await _ended(ctx, machine)
        return TaskEnd(ended, await _last_lines(ctx, machine.id, ended), machine.id)
    finally:
        await _remove(ctx, name, config["metadata"], machine)


async def _created(ctx: Context, name: str, region: str, config: dict[str, Any]) -> Machine:
    """Names are unique: where one may have been created, or is taken, it is looked for by its name."""
    ctx.waiting_for[name] = f"task {name} to be created"
    try:
        return await ctx.machines.create(
            name=name, region=region, config=config, skip_service_registration=True
        )
    except (Ambiguous, Conflict):
        with contextlib.suppress(NotYet):
            async for attempt in polling(attempts=NAME_LOOKS):
                with attempt:
                    return await _found(ctx, name, config["metadata"])
        raise


async def _found(ctx: Context, name: str, metadata: Mapping[str, str]) -> Machine:
    """The machine of that name that says it is this task. Raises ``NotYet``."""
    for machine in await ctx.machines.list():
        if machine.name == name and metadata.items() <= machine.metadata.items():
            return machine
    raise NotYet


async def _ended(ctx: Context, machine: Machine) -> ExitSeen:
    ctx.waiting_for[machine.name] = f"task {machine.name} (machine {machine.id}) to end"
    await ctx.machines.wait(machine.id, ("stopped", "failed", "destroyed"), instance_id=machine.instance_id)
    with contextlib.suppress(NotYet):
        async for attempt in polling(attempts=EXIT_LOOKS):
            with attempt:
                told = await _exit(ctx, machine.id)
                ctx.waiting_for.pop(machine.name, None)
                return told
    raise GateFailed(
        f"task {machine.name} (machine {machine.id}) has no exit event: nothing tells how its command ended"
    )


async def _exit(ctx: Context, machine_id: str) -> ExitSeen:
    with contextlib.suppress(NotFound):
        seen = see_task(await ctx.machines.get(machine_id), ctx.spec.app)
        if seen and seen.exit:
            return seen.exit
    raise NotYet


async def _last_lines(ctx: Context, machine_id: str, ended: ExitSeen) -> tuple[str, ...]:
    """Shielded: the verdict is in, and the caller's deadline must not take it back. Waited for after a failure only."""
    logs = Logs(ctx.api, ctx.spec.app)
    with anyio.move_on_after(LOGS_WITHIN_S, shield=True):
        async for attempt in polling():
            with attempt:
                lines = await logs.last_lines(machine_id)
                if not lines and not ended.graceful:
                    raise NotYet
                return lines
    return ()


async def _remove(ctx: Context, name: str, metadata: Mapping[str, str], machine: Machine | None) -> None:
    """Also after a cancelled create, which may have happened. Leftovers are told, and removed by the next run."""
    try:
        with anyio.fail_after(CLEANUP_WITHIN_S, shield=True), contextlib.suppress(NotYet):
            await ctx.machines.destroy((machine or await _found(ctx, name, metadata)).id)
    except (FlyError, TimeoutError) as error:
        reason = str(error) or ctx.api.last_error or "no answer"
        ctx.say(f"task {name} could not be removed ({reason}): the next run removes it")
