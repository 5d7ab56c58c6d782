"""``/apps/{app}/machines/{id}/lease``: whoever holds it is the only one to change the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from providers.fly.api import Api
from providers.fly.errors import Ambiguous, BadAnswer, Call
from providers.fly.types import Nonce

ACTIONS = frozenset({"machine.lease", "machine.lease_release"})
"""Calls about leases show a nonce of their own, whatever else is held."""
NONCE_HEADER = "fly-machine-lease-nonce"


class Lease(BaseModel):
    """A lease as the API shows it. ``expires_at``: epoch seconds by Fly's clock; ``nonce`` only to who took it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    expires_at: float
    owner: str = ""
    description: str = ""


class _Taken(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    nonce: Nonce


@dataclass(frozen=True)
class Leases:
    """The leases of one app's machines."""

    api: Api
    app: str

    def _call(self, action: str, method: str, machine_id: str, *, safe_to_repeat: bool) -> Call:
        path = f"/apps/{self.app}/machines/{machine_id}/lease"
        return Call(f"machine.{action}", method, path, safe_to_repeat)

    async def take(self, machine_id: str, ttl_s: float, description: str) -> str:
        """Its nonce. Raises ``Conflict`` while another holds it; ``Ambiguous``: it may be held under a nonce that
        nobody knows, until it expires.
        """
        call = self._call("lease", "POST", machine_id, safe_to_repeat=False)
        body = {"ttl": math.ceil(ttl_s), "description": description}
        answer = await self.api.send(call, machine_id, body=body)
        try:
            return _Taken.model_validate(answer.get("data")).nonce
        except (ValidationError, AttributeError):
            raise Ambiguous(call, "the answer does not tell the nonce") from None

    async def renew(self, machine_id: str, nonce: str, ttl_s: float, description: str) -> None:
        """Hold it for ``ttl_s`` from now. Raises ``Conflict`` where it has run out, or is another's."""
        call = self._call("lease", "POST", machine_id, safe_to_repeat=True)
        body = {"ttl": math.ceil(ttl_s), "description": description}
        await self.api.send(call, machine_id, body=body, headers={NONCE_HEADER: nonce})

    async def release(self, machine_id: str, nonce: str) -> None:
        """Raises ``NotFound`` where none is held, ``Conflict`` where it is another's."""
        call = self._call("lease_release", "DELETE", machine_id, safe_to_repeat=True)
        await self.api.send(call, machine_id, headers={NONCE_HEADER: nonce})

    async def get(self, machine_id: str) -> Lease:
        """Who holds it. Raises ``NotFound`` where nobody does."""
        call = self._call("lease_get", "GET", machine_id, safe_to_repeat=True)
        answer = await self.api.send(call, machine_id)
        try:
            return Lease.model_validate(answer.get("data"))
        except (ValidationError, AttributeError):
            raise BadAnswer(call, "the answer is not a lease") from None
