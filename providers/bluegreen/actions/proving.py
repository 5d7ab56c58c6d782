"""drain-old: the proof that blue's state is saved, in whichever way its release can give it."""

from __future__ import annotations

from dataclasses import replace

import anyio

from providers.bluegreen.actions.persisting import persist
from providers.bluegreen.actions.proving_outside import prove_outside
from providers.bluegreen.actions.together import each_or_fail
from providers.bluegreen.conditions import drains_alive
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import DrainMark, MachineSeen, Observation, Proof
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import split_location
from providers.bluegreen.spec_gates import CommandProof, HttpProof, MarkerProof, RequestDrain, SignalDrain
from providers.gates.marker import mark_before, marker_key, prove_marker
from providers.gates.saved_state import manifest_etag, prove_saved
from providers.gates.store import Head, StateStore, StoreError


async def mark_of(ctx: Context, machine: MachineSeen, drain: str) -> DrainMark:
    """The mark of a drain that is about to begin: the object that will prove it, as it is now."""
    told_by_id = isinstance(machine.drain, RequestDrain) and machine.state_proof.type == "manifest"
    if not machine.state_store or told_by_id:
        return DrainMark(drain, started_at=machine.started_at)
    store, prefix = _store_of(ctx, machine)
    found: tuple[str | None, float | None]
    try:
        if isinstance(machine.state_proof, MarkerProof):
            head = await mark_before(store, marker_key(prefix, machine.state_proof.key, machine))
            found = (head.etag, head.modified) if head else (None, None)
        else:
            found = (await manifest_etag(store, prefix, machine), None)
    except StoreError as error:
        raise GateFailed(f"{_who(machine)}: what it saved before cannot be read: {error}") from None
    etag, modified = found
    return DrainMark(drain, etag, modified, machine.started_at)


async def prove_state(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Prove what is not proven yet: of living machines those that quiesced, of the others what they left behind.

    By signal nothing says when the saving is done, so there the proof is asked for until it holds, or the phase ends.
    """
    proofs = scene.observation.proofs
    open_ = [m for m in step.machines if m.must_prove and not (m.id in proofs and proofs[m.id].holds)]

    async def one(machine: MachineSeen) -> Proof:
        began = anyio.current_time()
        proof = await prove(machine)
        took = anyio.current_time() - began
        return replace(proof, started_at=ctx.now() - took, seconds=took)

    async def prove(machine: MachineSeen) -> Proof:
        if not (drains_alive(machine) and isinstance(machine.drain, SignalDrain)):
            return await _prove(ctx, scene, machine)

        async def proven() -> Proof:
            proof = await _prove(ctx, scene, machine)
            if proof.faults:
                raise NotYet(proof.faults[0])
            return proof

        return await persist(ctx, machine, proven)

    found = await each_or_fail(open_, one)
    faults = list(dict.fromkeys(fault for proof in found for fault in proof.faults))
    if faults:
        raise GateFailed(*faults)
    rooms, objects, size = (sum(getattr(p, part) for p in found) for part in ("rooms", "objects", "bytes"))
    ctx.say(f"saved state proven: {rooms} rooms, {objects} objects, {size:,} bytes of {len(found)} machines")
    return scene.observation.with_proofs(*found)


async def _prove(ctx: Context, scene: Scene, machine: MachineSeen) -> Proof:
    """One machine's proof, by what its release can give. A drain of this run counts before a mark of an earlier one."""
    if isinstance(machine.state_proof, HttpProof | CommandProof):
        return await prove_outside(ctx, scene, machine)
    mark = scene.observation.quiesced.get(machine.id) or machine.draining
    store, prefix = _store_of(ctx, machine)
    if isinstance(machine.state_proof, MarkerProof):
        key = marker_key(prefix, machine.state_proof.key, machine)
        if mark is None:
            fault = f"{_who(machine)}: its marker {key} proves nothing: it had stopped before anybody looked at it"
            return Proof(machine.id, faults=(fault,))
        before = Head(mark.etag, 0, mark.modified or 0.0) if mark.etag else None
        return await prove_marker(store, key, machine, before)
    if mark is None:
        return await prove_saved(store, prefix, machine)
    if isinstance(machine.drain, RequestDrain):
        return await prove_saved(store, prefix, machine, drain=mark.id)
    return await prove_saved(store, prefix, machine, before=mark.etag or "")


def _store_of(ctx: Context, machine: MachineSeen) -> tuple[StateStore, str]:
    """The store that this machine was told to save to, and its prefix."""
    bucket, prefix = split_location(machine.state_store)
    return ctx.store_of(bucket), prefix


def _who(machine: MachineSeen) -> str:
    return f"machine {machine.id} ({machine.name})"
