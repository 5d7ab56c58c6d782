"""Faults of the API and of the deployer, one at a chosen call, and what must hold after each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import anyio
import httpx

from providers.bluegreen.outcome import Ending, Outcome
from tests.bluegreen.virtual import Kit

Fault = Literal[
    "500 applied", "reset applied", "reset", "403", "404", "empty", "killed before", "killed after"
]


@dataclass
class Faulty(httpx.AsyncBaseTransport):
    """Does one fault at the ``at``-th call, and is the API itself at every other. ``killed``: ends the deployer."""

    inner: httpx.AsyncBaseTransport
    fault: Fault | None = None
    at: int = 0
    calls: list[str] = field(default_factory=list)
    killed: anyio.CancelScope | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        if self.killed and self.killed.cancel_called:
            raise httpx.ConnectError("a dead deployer calls nobody")
        if len(self.calls) != self.at:
            return await self.inner.handle_async_request(request)
        assert self.fault is not None
        response = None
        if self.fault.endswith(("applied", "after")):
            response = await self.inner.handle_async_request(request)
        return await self._answer(request, response)

    async def _answer(self, request: httpx.Request, applied: httpx.Response | None) -> httpx.Response:
        assert self.fault is not None
        if self.fault.startswith("killed"):
            assert self.killed is not None
            self.killed.cancel()
            raise httpx.ConnectError("it is dead")
        if self.fault.startswith("reset"):
            raise httpx.ReadError("reset")
        if self.fault == "empty":
            return httpx.Response(200, json=[] if request.url.path.endswith("/machines") else {})
        status = int(self.fault[:3])
        return httpx.Response(status, json={"error": "injected"}, headers={"fly-request-id": "01INJECTED"})


def names(kit: Kit) -> dict[str, str]:
    """Machine names by id, of all that ever were."""
    return {record["machine_id"]: record["name"] for record in kit.history("machine")}


def check_world(kit: Kit, outcome: Outcome | None) -> None:
    """What holds after every run, whatever happened: never two clusters routed, nothing lost, no false claim."""
    named = names(kit)
    ever_routed: set[str] = set()
    for record in kit.history("routes"):
        routed = {named[machine_id] for machine_id in record["machine_ids"]}
        assert len({name.split("-")[1] for name in routed}) <= 1, f"two clusters routed: {routed}"
        ever_routed |= set(record["machine_ids"])
    saved = {key.rpartition("/")[2].removesuffix(".json") for key in kit.store.objects if "manifests/" in key}
    present = {machine.id for machine in kit.machines()}
    assert ever_routed - present <= saved, "destroyed without its state being saved"
    if outcome is not None and outcome.ending is not Ending.UNKNOWN:
        claimed = {machine.name for machine in outcome.serving.machines} if outcome.serving else set()
        assert claimed == kit.routed(), f"{outcome.ending} claims {claimed}, routed are {kit.routed()}"
