"""A fault of the API or of the deployer at a call chosen by its number; tests/faults chooses by name, and all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import anyio
import httpx

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
