"""Proofs that the deployer asks of somebody else than the store: a service of the user's, or a command."""

from __future__ import annotations

import anyio

from providers.bluegreen import durations
from providers.bluegreen.actions.testing import Command, Target, about, stream
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import MachineSeen, Proof
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec_gates import CommandProof, HttpProof
from providers.gates.asking import ask_url

DEADLINE = "60s"


async def prove_outside(ctx: Context, scene: Scene, machine: MachineSeen) -> Proof:
    """One machine's proof by today's configuration: its release had a proof of the same kind. Never raises."""
    who = f"machine {machine.id} ({machine.name})"
    wanted = ctx.spec.state_proof
    if wanted.type != machine.state_proof.type:
        told = f"its state is proven by {machine.state_proof.type}, and state_proof says {wanted.type} now"
        return Proof(machine.id, faults=(f"{who}: {told}: keep it until its last release is gone",))
    try:
        with anyio.fail_after(durations.seconds(DEADLINE)):
            await _ask(ctx, scene, machine)
    except TimeoutError:
        return Proof(
            machine.id, faults=(f"{who}: the {wanted.type} that proves it was not done within {DEADLINE}",)
        )
    except GateFailed as error:
        return Proof(machine.id, faults=tuple(f"{who}: {reason}" for reason in error.reasons))
    return Proof(machine.id)


async def _ask(ctx: Context, scene: Scene, machine: MachineSeen) -> None:
    wanted = ctx.spec.state_proof
    if isinstance(wanted, HttpProof):
        await ask_url(ctx.private, wanted, scrubber=ctx.scrubber)
    elif isinstance(wanted, CommandProof):
        told = about(scene, Target(machine.name, (machine,)), ()) | {
            "BLUEGREEN_RELEASE": str(machine.release)
        }
        end = await stream(ctx, Command("state proof", wanted.argv, told, wanted.env, DEADLINE))
        if not end.passed:
            raise GateFailed(str(end))
