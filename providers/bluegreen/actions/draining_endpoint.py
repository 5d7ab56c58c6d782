"""The drain endpoint of one machine, as docs/handover.md describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import BaseModel, NonNegativeInt, ValidationError

from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import MachineSeen
from providers.bluegreen.spec_gates import RequestDrain
from providers.bodies import AS_IT_IS, BodyRefused, read_body
from providers.fly.errors import Call
from providers.tunnels import Tunnels

ERROR_CAP = 200
BODY_CAP_BYTES = 64 * 1024


class DrainStatus(BaseModel):
    """What the app says of its drain: which one, and how far it is (``done`` of ``total`` rooms)."""

    state: Literal["serving", "draining", "saved"]
    drain: str | None = None
    done: NonNegativeInt = 0
    total: NonNegativeInt = 0
    error: str = ""


@dataclass(frozen=True)
class DrainEndpoint:
    """Raises ``NotYet`` where there was no answer, or a 5xx; ``GateFailed`` where it is none of the contract's.

    No lease fences the app itself: ``fence`` raises ``Lapsed`` where another run may have taken over.
    """

    http: httpx.AsyncClient
    tunnels: Tunnels
    machine: MachineSeen
    scrub: Callable[[str], str]
    fence: Callable[[Call], None]

    async def drain(self, drain: str, successor: str) -> DrainStatus:
        return await self._ask("POST", {"drain": drain, "successor": successor})

    async def status(self) -> DrainStatus:
        return await self._ask("GET")

    async def resume(self) -> None:
        status = await self._ask("DELETE")
        if status.state != "serving":
            raise NotYet(f"it is {status.state} still")

    async def _ask(self, method: str, body: object = None) -> DrainStatus:
        assert isinstance(self.machine.drain, RequestDrain)
        base_url = await self.tunnels.url(self.machine, self.machine.drain.port)
        what = f"{method} {self.machine.drain.path}"
        if method != "GET":
            self.fence(Call("drain", method, f"{self.machine.drain.path} of {self.machine.id}", True))
        try:
            url = base_url + self.machine.drain.path
            async with self.http.stream(method, url, json=body, headers=AS_IT_IS) as response:
                content = await read_body(response, BODY_CAP_BYTES)
        except BodyRefused as error:
            raise GateFailed(f"{self._who}: {what} has {error}") from None
        except httpx.HTTPError as error:
            raise NotYet(f"{what} has no answer ({type(error).__name__})") from None
        if response.is_server_error:
            raise NotYet(f"{what} answers {response.status_code}")
        if not response.is_success:
            raise GateFailed(
                f"{self._who}: {what} answers {response.status_code}: it cannot drain by request"
            )
        try:
            status = DrainStatus.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise GateFailed(
                f"{self._who}: the answer to {what} is not as docs/handover.md has it: {first['msg']}"
            ) from None
        return status.model_copy(update={"error": self.scrub(status.error)[:ERROR_CAP]})

    @property
    def _who(self) -> str:
        return f"machine {self.machine.id} ({self.machine.name})"
