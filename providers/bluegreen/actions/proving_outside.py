"""Proofs that the deployer asks of somebody else than the store: a service of the user's, or a command."""

from __future__ import annotations

import anyio

from providers.bluegreen import durations
from providers.bluegreen.actions.testing import Command, Target, about, stream
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import MachineSeen, Proof
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec_gates import CommandProof, HttpProof, StateProof
from providers.gates.asking import ask_url

DEADLINE = "60s"


def _wanted(ctx: Context, scene: Scene, machine: MachineSeen) -> StateProof | None:
    """What proves a release by http or command: today's configuration, else the one that it was deployed with."""
    for proof in (ctx.spec.state_proof, scene.intent.previous_proof):
        if proof is not None and proof.type == machine.state_proof.type:
            return proof
    return None


def cannot_prove(ctx: Context, scene: Scene, machine: MachineSeen) -> str:
    """Why nothing will prove this machine's state, known before it drains; empty where something may."""
    kind = machine.state_proof.type
    if kind not in ("http", "command") or _wanted(ctx, scene, machine):
        return ""
    return (
        f"machine {machine.id} ({machine.name}): its state is proven by {kind}, and neither state_proof nor the last "
        f"deploy's says how: set state_proof to that {kind} once more"
    )


async def prove_outside(ctx: Context, scene: Scene, machine: MachineSeen) -> Proof:
    """One machine's proof by somebody else than the store. Never raises: what went wrong is a fault."""
    who = f"machine {machine.id} ({machine.name})"
    wanted = _wanted(ctx, scene, machine)
    if wanted is None:
        return Proof(machine.id, faults=(cannot_prove(ctx, scene, machine),))
    try:
        with anyio.fail_after(durations.seconds(DEADLINE)):
            await _ask(ctx, scene, machine, wanted)
    except TimeoutError:
        return Proof(
            machine.id, faults=(f"{who}: the {wanted.type} that proves it was not done within {DEADLINE}",)
        )
    except GateFailed as error:
        return Proof(machine.id, faults=tuple(f"{who}: {reason}" for reason in error.reasons))
    return Proof(machine.id)


async def _ask(ctx: Context, scene: Scene, machine: MachineSeen, wanted: StateProof) -> None:
    if isinstance(wanted, HttpProof):
        await ask_url(ctx.private, wanted, scrubber=ctx.scrubber)
    elif isinstance(wanted, CommandProof):
        told = about(scene, Target(machine.name, (machine,)), ()) | {
            "BLUEGREEN_RELEASE": str(machine.release)
        }
        end = await stream(ctx, Command("state proof", wanted.argv, told, wanted.env, DEADLINE))
        if not end.passed:
            raise GateFailed(str(end))
