"""Asking a draining machine again and again, as long as it is the one that was asked to drain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import MachineSeen
from providers.bluegreen.observe import look_again
from providers.bluegreen.polling import polling
from providers.tunnels import TunnelFailed

EVERY_NTH_LOOK = 8
"""How often, while what is waited for does not come, the machine itself is looked at."""
T = TypeVar("T")


async def persist(ctx: Context, machine: MachineSeen, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until it holds; a machine that has ended meanwhile, taking what it had not saved with it, fails the gate."""
    looks = 0
    async for attempt in polling():
        with attempt:
            try:
                answer = await ask()
            except (NotYet, TunnelFailed) as error:
                ctx.waiting_for[machine.name] = f"machine {machine.id} ({machine.name}): {error}"
                looks += 1
                if looks % EVERY_NTH_LOOK == 0:
                    await _must_live(ctx, machine)
                raise NotYet(str(error)) from None
    ctx.waiting_for.pop(machine.name, None)
    return answer


async def _must_live(ctx: Context, machine: MachineSeen) -> None:
    seen = await look_again(ctx, machine)
    if (
        seen.state != "started"
        or seen.instance_id != machine.instance_id
        or seen.started_at > machine.started_at
    ):
        how = f": its process {seen.exit}" if seen.exit else ""
        raise GateFailed(
            f"machine {machine.id} ({machine.name}) is {seen.state}{how} since it was asked to save; "
            "what it had not saved is lost"
        )
